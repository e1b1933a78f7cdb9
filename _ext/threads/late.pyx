"""Attributes that are worked out when they are first asked for, by threads that do not wait for each other.

Compiled, so that an attribute costs no call of a function in Python beside the one that works it out, and the way of
a reader through the code does not come by here for each.
"""


cdef class cached_property:
    """An attribute that is worked out when it is first asked for, like that of `functools`.

    Before Python 3.12 that one holds a lock of all instances meanwhile: helpers of a signal handler would
    wait for the code that it interrupts. Threads that ask at once all work it out, and get one value.
    """

    cdef object _work
    cdef object _name
    cdef readonly object __doc__

    def __init__(self, work):
        self._work = work
        self._name = work.__name__
        self.__doc__ = work.__doc__

    def __get__(self, instance, owner):
        if instance is None:
            return self
        # What is there is found without this call from now on.
        value = self._work(instance)
        return (<dict?>instance.__dict__).setdefault(self._name, value)
