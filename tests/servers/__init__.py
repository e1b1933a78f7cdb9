"""Real servers for the tests of remote stores: objects, Redis, HTTP, and a network that is slow or fails.

Every test can ask for the fixtures of `tests.servers.fixtures`, one for each server::

    def test_something(s3_server):
        where = s3_server.new("run.zarr")
        store = obstore.store.from_url(where.url, **where.options)

Servers listen on free ports of 127.0.0.1, start when a test first asks for them, and end with the test
process, even if that is killed. A test is skipped if the program or the package is absent; ``make servers``
installs the programs.
"""
