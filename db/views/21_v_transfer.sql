-- The effect of the source's vector in a target beside its effect in the source itself.
CREATE VIEW v_transfer AS
SELECT target.trait, target.source, target.target, target.layer, target.method, target.position,
       target.search, target.judge, own.dose AS source_dose, target.dose AS target_dose,
       own.lift AS source_lift, target.lift AS target_lift,
       target.lift - own.lift AS lift_difference,
       own.coherence AS source_coherence, target.coherence AS target_coherence
FROM v_summary AS target
JOIN v_summary AS own
  ON own.target = own.source AND own.source = target.source AND own.trait = target.trait
  AND own.layer = target.layer AND own.method IS target.method
  AND own.position = target.position AND own.search IS target.search
  AND own.judge = target.judge;
