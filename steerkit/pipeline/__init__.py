"""The stage loops: the only place that knows both a stage and the store. Level 8.

`workspace` holds what every stage needs, `vet`, `extract` and `steer` are the stages, `rounds`
makes and judges answers, `estimate` says what a command would take before it starts.
"""
