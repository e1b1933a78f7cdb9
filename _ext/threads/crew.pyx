"""Threads that wait for work outside the GIL: what the helpers of `zchunk.runtime.threads` share.

A thread takes up the work of a kernel within microseconds and does it without Python. A Python task is returned by
`get`, to the thread that called it. All work is taken up in the order in which it was offered.
"""

from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free
from cpython.ref cimport PyObject, Py_INCREF, Py_XDECREF

from zchunk._ext.threads.crew cimport Crew, Ticket
from zchunk._ext.threads.locks cimport on_behalf, on_behalf_serial, work_for
from zchunk._ext.threads.waiters cimport called_in, free_waiters, settle

cdef extern from "threads/atomics.h" nogil:
    int64_t zc_load(const int64_t* p)
    void zc_store(int64_t* p, int64_t value)
    void zc_pause()

cdef extern from * nogil:
    """
    #include <errno.h>
    #include <pthread.h>
    #include <stdint.h>
    #include <time.h>
    #include <unistd.h>

    static int64_t zc_ns(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    }
    """
    ctypedef struct pthread_mutex_t:
        pass
    cdef struct timespec:
        pass
    ctypedef struct pthread_cond_t:
        pass
    int pthread_mutex_init(pthread_mutex_t* mutex, void* attributes)
    int pthread_mutex_destroy(pthread_mutex_t* mutex)
    int pthread_mutex_lock(pthread_mutex_t* mutex)
    int pthread_mutex_unlock(pthread_mutex_t* mutex)
    int pthread_cond_destroy(pthread_cond_t* call)
    int pthread_cond_wait(pthread_cond_t* call, pthread_mutex_t* mutex)
    int pthread_cond_signal(pthread_cond_t* call)
    int pthread_cond_broadcast(pthread_cond_t* call)
    int64_t zc_ns()
    int pthread_cond_timedwait(pthread_cond_t* call, pthread_mutex_t* mutex, const timespec* until)
    long getpid()

cdef extern from "threads/deadline.h" nogil:
    int zc_init_call(pthread_cond_t* call)
    timespec zc_deadline(double seconds)

cdef enum State:
    OFFERED = 0
    TAKEN = 1
    DONE = 2

cdef enum:
    LOOK_NS = 50000

cdef struct Desk:
    # Where work is offered and taken up.
    pthread_mutex_t mutex
    pthread_cond_t offer
    pthread_cond_t done
    int64_t asleep
    Ticket* first
    Ticket* last
    int64_t offers          # how often something was offered
    # Tickets that are neither done nor withdrawn.
    int64_t open
    long pid


# How long a thread looks out for work before it sleeps, in nanoseconds: as long as waking up would take.
LOOK = LOOK_NS


# ---- kernels

cdef void _offer(Desk* desk, Ticket* tickets, int64_t n) noexcept nogil:
    cdef int64_t i, _sleeper
    cdef int64_t thread = on_behalf(), serial = on_behalf_serial()
    pthread_mutex_lock(&desk.mutex)
    for i in range(n):
        tickets[i].thread, tickets[i].serial = thread, serial
        if desk.last == NULL:
            desk.first = &tickets[i]
        else:
            desk.last.next = &tickets[i]
        desk.last = &tickets[i]
    zc_store(&desk.open, desk.open + n)
    zc_store(&desk.offers, desk.offers + 1)
    n = min(n, desk.asleep)
    pthread_mutex_unlock(&desk.mutex)
    # Without the lock, which the threads that wake up take.
    for _sleeper in range(n):
        pthread_cond_signal(&desk.offer)


cdef void _look_out(Desk* desk) noexcept nogil:
    """Look whether something is offered in the next moment. The lock is held before and after."""
    cdef int64_t seen = desk.offers, until
    pthread_mutex_unlock(&desk.mutex)
    until = zc_ns() + LOOK_NS
    while zc_load(&desk.offers) == seen and zc_ns() < until:
        zc_pause()
    pthread_mutex_lock(&desk.mutex)


cdef void* _serve(Desk* desk, bint finished) noexcept nogil:
    """Do the work that is offered until it is a Python task, and return that; `finished`: the last one is done."""
    cdef Ticket* ticket
    cdef void* task
    # Python tasks take long, and do not follow each other quickly.
    cdef bint worked = False
    pthread_mutex_lock(&desk.mutex)
    zc_store(&desk.open, desk.open - finished)
    while True:
        if desk.first == NULL and worked:
            _look_out(desk)
        while desk.first == NULL:
            desk.asleep += 1
            pthread_cond_wait(&desk.offer, &desk.mutex)
            desk.asleep -= 1
        ticket = desk.first
        desk.first = ticket.next
        if desk.first == NULL:
            desk.last = NULL
        zc_store(&ticket.state, TAKEN)
        pthread_mutex_unlock(&desk.mutex)
        work_for(ticket.thread, ticket.serial)
        if ticket.work == NULL:
            task = ticket.arg
            free(ticket)
            return task
        ticket.work(ticket.arg)
        worked = True
        pthread_mutex_lock(&desk.mutex)
        zc_store(&desk.open, desk.open - 1)
        # The thread that offered it may free it from here on.
        zc_store(&ticket.state, DONE)
        pthread_cond_broadcast(&desk.done)


cdef void _withdraw(Desk* desk, Ticket* tickets, int64_t n) noexcept nogil:
    """Take back those of `tickets` that no thread has taken up."""
    cdef Ticket** at = &desk.first
    cdef Ticket* before = NULL
    pthread_mutex_lock(&desk.mutex)
    while at[0] != NULL:
        if tickets <= at[0] < tickets + n:
            zc_store(&at[0].state, DONE)
            at[0] = at[0].next
            zc_store(&desk.open, desk.open - 1)
        else:
            before = at[0]
            at = &before.next
    desk.last = before
    pthread_mutex_unlock(&desk.mutex)


cdef bint _all_done(const Ticket* tickets, int64_t n) noexcept nogil:
    cdef int64_t i
    for i in range(n):
        if zc_load(&tickets[i].state) != DONE:
            return False
    return True


cdef bint _finish(Desk* desk, Ticket* tickets, int64_t n, double seconds) noexcept nogil:
    """Wait until all of `tickets` are done, or for about `seconds`; whether they are."""
    cdef bint done
    cdef int64_t until
    # One deadline for the whole wait: the condition may be signalled many times, for other tickets.
    cdef timespec end = zc_deadline(seconds)
    _withdraw(desk, tickets, n)
    until = zc_ns() + LOOK_NS
    while not _all_done(tickets, n) and zc_ns() < until:
        zc_pause()
    # With the lock, so that the thread that did the last of them has let go of it.
    pthread_mutex_lock(&desk.mutex)
    done = _all_done(tickets, n)
    while not done and pthread_cond_timedwait(&desk.done, &desk.mutex, &end) == 0:
        done = _all_done(tickets, n)
    pthread_mutex_unlock(&desk.mutex)
    return done


# ---- boundary

cdef class Crew:
    """Where helpers wait for the work that other threads offer."""

    def __cinit__(self):
        self._desk = <Desk*>calloc(1, sizeof(Desk))
        if self._desk == NULL:
            raise MemoryError
        pthread_mutex_init(&self._desk.mutex, NULL)
        zc_init_call(&self._desk.offer)
        zc_init_call(&self._desk.done)
        self._desk.pid = getpid()

    def __dealloc__(self):
        cdef Ticket* ticket
        # In a forked child, threads that do not exist there may wait, or hold the lock.
        if self._desk == NULL or self._desk.pid != getpid():
            return
        while self._desk.first != NULL:
            ticket = self._desk.first
            self._desk.first = ticket.next
            Py_XDECREF(<PyObject*>ticket.arg)
            free(ticket)
        pthread_cond_destroy(&self._desk.offer)
        pthread_cond_destroy(&self._desk.done)
        pthread_mutex_destroy(&self._desk.mutex)
        free(self._desk)

    def put(self, task):
        """Offer a Python task, which may be any object."""
        cdef Ticket* ticket = <Ticket*>calloc(1, sizeof(Ticket))
        if ticket == NULL:
            raise MemoryError
        Py_INCREF(task)
        ticket.arg = <void*>task
        _offer(self._desk, ticket, 1)

    def get(self, bint finished):
        """Do the work of kernels until there is a Python task, and return that; `finished`: the last one is done."""
        cdef void* taken
        with nogil:
            taken = _serve(self._desk, finished)
        task = <object>taken
        Py_XDECREF(<PyObject*>taken)
        return task

    @property
    def open(self):
        """Number of tasks and shares of work that were offered and are not done."""
        return zc_load(&self._desk.open)


cdef class Shared:
    """Work that threads of a crew may share with the calling one."""

    def share(self, Crew crew not None, int64_t helpers):
        """Offer the work to up to `helpers` threads. Then call `wait` until no thread is at work."""
        cdef int64_t i
        if self._tickets != NULL:
            raise ValueError("the work is shared already")
        if self._work == NULL or self._stop == NULL or helpers < 0:
            raise ValueError(f"helpers is {helpers}, not a number of threads, or there is no work")
        self._tickets = <Ticket*>calloc(helpers + 1, sizeof(Ticket))
        if self._tickets == NULL:
            raise MemoryError
        for i in range(helpers):
            self._tickets[i].work, self._tickets[i].arg = self._work, self._arg
        # Not as an attribute of Python, which garbage collection may clear while a thread is still at work.
        Py_INCREF(crew)
        self._crew, self._desk, self._offered = <PyObject*>crew, crew._desk, helpers
        _offer(crew._desk, self._tickets, helpers)

    cdef bint _wait(self, double seconds) noexcept:
        cdef bint done
        if self._tickets != NULL:
            with nogil:
                done = _finish(self._desk, self._tickets, self._offered, seconds)
            if not done:
                return True
            free(self._tickets)
            self._tickets = NULL
            Py_XDECREF(self._crew)
        if not called_in(self._waiters):
            return False
        with nogil:
            done = settle(self._waiters, seconds)
        return not done

    cdef void _settle(self) noexcept:
        """Wait until no thread is at work, whatever happened."""
        if self._tickets != NULL and self._desk.pid != getpid():
            # In a forked child there are none.
            return
        if self._tickets != NULL or called_in(self._waiters):
            zc_store(self._stop, 1)
            while self._wait(1.0):
                pass

    @property
    def waits(self):
        """Whether threads were called in that wait for the storage; then call `wait`, too."""
        return called_in(self._waiters)

    def wait(self, double seconds):
        """Let no more threads begin, wait for the others for about `seconds`; return whether some are at work."""
        return self._wait(seconds)

    def __dealloc__(self):
        self._settle()
        free_waiters(self._waiters)
