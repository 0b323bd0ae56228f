"""Vectors as float32 little-endian blobs, with what they were made from."""

import hashlib
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steerkit.records import Vector
from steerkit.store.connection import Connection

__all__ = ["VectorShelf", "from_blob", "to_blob"]

_NOT_COLUMNS = ("id", "values", "model_id", "trait_id", "method", "layer", "pooling")


def to_blob(values: NDArray[np.float32]) -> bytes:
    """Float32 little-endian bytes, 4 for each dimension."""
    return np.ascontiguousarray(values, dtype="<f4").tobytes()


def from_blob(blob: bytes) -> NDArray[np.float32]:
    """The values of a blob, a writable copy of shape (dim,)."""
    return np.frombuffer(blob, dtype="<f4").astype(np.float32)


class VectorShelf:
    """Directions by what they were computed from; the same content is one row."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, vector: Vector) -> Vector:
        """Store a vector, or complete its row; with its id."""
        blob = to_blob(vector.values)
        values = {name: value for name, value in asdict(vector).items() if name not in _NOT_COLUMNS}
        values |= {
            "dim": len(vector.values),
            "norm": vector.norm,
            "vector": blob,
            "polarity_flip": int(vector.polarity_flip),
        }
        key = {
            "model_id": vector.model_id,
            "trait_id": vector.trait_id,
            "method": vector.method,
            "layer": vector.layer,
            "pooling": vector.pooling,
            "sha256": hashlib.sha256(blob).hexdigest(),
        }
        return replace(vector, id=self._db.ensure("vectors", key, values))

    def add_all(self, vectors: list[Vector]) -> None:
        """Store several vectors in one transaction."""
        with self._db.write():
            for vector in vectors:
                self.add(vector)

    def with_inputs(self, inputs_sha256: str) -> set[tuple[str, int]]:
        """(method, layer) of every vector computed from these inputs."""
        found = self._db.rows(
            "SELECT method, layer FROM vectors WHERE inputs_sha256 = ?", [inputs_sha256]
        )
        return {(row["method"], row["layer"]) for row in found}

    def newest(
        self, model_id: int, trait_id: int, method: str, pooling: str
    ) -> dict[int, Vector]:
        """The newest vector of each layer, keyed by layer."""
        found = self._db.rows(
            "SELECT * FROM vectors WHERE model_id = ? AND trait_id = ? AND method = ? "
            "AND pooling = ? AND derived_from_id IS NULL ORDER BY id",
            [model_id, trait_id, method, pooling],
        )
        return {row["layer"]: _vector(row) for row in found}

    def listed(self, trait: str | None = None, model: str | None = None) -> list[dict[str, Any]]:
        """Rows of v_vectors, by model, trait, method and layer."""
        return self._db.rows(
            "SELECT * FROM v_vectors WHERE (?1 IS NULL OR trait = ?1) "
            "AND (?2 IS NULL OR model = ?2) ORDER BY model, trait, method, layer, id",
            [trait, model],
        )


def _vector(row: dict[str, Any]) -> Vector:
    blob = row.pop("vector")
    for name in ("dim", "norm", "sha256"):
        row.pop(name)
    return Vector(**(row | {"values": from_blob(blob), "polarity_flip": bool(row["polarity_flip"])}))
