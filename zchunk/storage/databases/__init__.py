"""Stores in databases: SQLite, LMDB, DBM and Redis, a module for each.

`redis_client` says how a Redis server is reached. Each needs its package, which is imported late.
"""
