"""Stores in databases: SQLite, LMDB, DBM and Redis, a module for each."""
