"""The engine reads and writes chunks by plans. `execute` has `read` and `write`, and the table of routes.

`array` is what the engine knows of an array. `native` runs the compiled kernels, `generic` is the definition
that they agree with. `partial_reads` fetches parts of chunks, `shard` finds the chunks in a shard,
`chunk_and_shard_locks` says which lock a chunk or a shard has, `chunk_cache` keeps decoded chunks, `listing`
finds what is stored, `resize` changes the shape. Nothing here is public.
"""
