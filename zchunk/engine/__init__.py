"""The engine: plans in, chunks read and written. `execute` has `read` and `write`, and the table of routes.

`array` is what the engine knows of an array; `native` runs the compiled kernels, `generic` is the definition
that they agree with; `partial_reads` fetches parts of chunks, `shard` and `sharded` are about shards,
`chunk_cache` keeps decoded chunks, `listing` and `resize` look at and delete what is stored. Nothing here is
public.
"""
