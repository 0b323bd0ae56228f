-- Every vector with its held-out quality; the numbers themselves stay in vectors.vector.
CREATE VIEW v_vectors AS
SELECT vectors.id, models.name AS model, traits.name AS trait, vectors.method, vectors.layer,
       vectors.pooling, vectors.auc, vectors.d_prime, vectors.auc_shuffled,
       vectors.split_half_cosine, vectors.polarity_flip, vectors.norm, vectors.gap,
       vectors.sd_within, vectors.residual_norm, vectors.norm / vectors.residual_norm
         AS dose_of_one, vectors.n_positive, vectors.n_negative, vectors.n_pairs, vectors.dim,
       vectors.prompt_form, vectors.sha256, vectors.run_id
FROM vectors
JOIN models ON models.id = vectors.model_id
JOIN traits ON traits.id = vectors.trait_id;
