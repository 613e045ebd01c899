/* explored.h - put before each source of the streamer by the build of tests/interleave: every step by which threads
 * meet becomes a point at which the explorer (explore.h) may go on with another thread.
 *
 * Threads are coroutines of one thread here, so an atomic object is a plain one, and `_Atomic` means nothing. What is
 * explored is therefore every order of whole steps: sequential consistency. What weaker orders allow beyond that is
 * ThreadSanitizer's part, but for the stores that a break of the kind "late" holds back (explore.h). A weak
 * compare-and-swap never fails for nothing. */
#ifndef LEAT_TEST_EXPLORED_H
#define LEAT_TEST_EXPLORED_H

/* Before their names get another meaning. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "explore.h"

#define _Atomic

#pragma GCC diagnostic ignored "-Wshadow" /* a step within a step's argument */

#define EXPLORE_SITE(operation_, object_)                                                                              \
    static explore_site site_ = { .operation = operation_, .object = object_, .file = __FILE__, .line = __LINE__ };    \
    site_.function = __func__

#undef atomic_init
#define atomic_init(object, value) ((void)(*(object) = (value)))

#undef atomic_load_explicit
#define atomic_load_explicit(object, order)                                                                            \
    __extension__({                                                                                                    \
        EXPLORE_SITE("load", #object);                                                                                 \
        explore_step(&site_, (object), false);                                                                         \
        explore_value(&site_, (uint64_t) * (object));                                                                  \
        *(object);                                                                                                     \
    })

#undef atomic_store_explicit
#define atomic_store_explicit(object, value, order)                                                                    \
    __extension__({                                                                                                    \
        EXPLORE_SITE("store", #object);                                                                                \
        __typeof__(*(object)) *at_ = (object);                                                                         \
        __typeof__(*(object)) stored_ = (__typeof__(*(object)))(value);                                                \
        explore_step(&site_, at_, true);                                                                               \
        explore_value(&site_, (uint64_t)stored_);                                                                      \
        if (!explore_withheld(&site_, at_, &stored_, sizeof(stored_))) {                                               \
            *at_ = stored_;                                                                                            \
        }                                                                                                              \
    })

/* Reads, computes `result_` from `old_` and `value_`, writes: one step, unless it is broken. */
#define EXPLORE_CHANGE(name, object, value, result_)                                                                   \
    __extension__({                                                                                                    \
        EXPLORE_SITE(name, #object);                                                                                   \
        __typeof__(*(object)) *at_ = (object);                                                                         \
        __typeof__(*(object)) value_ = (__typeof__(*(object)))(value);                                                 \
        explore_step(&site_, at_, true);                                                                               \
        __typeof__(*(object)) old_ = *at_;                                                                             \
        __typeof__(*(object)) new_ = (__typeof__(*(object)))(result_);                                                 \
        explore_value(&site_, (uint64_t)new_);                                                                         \
        explore_split(&site_);                                                                                         \
        if (!explore_withheld(&site_, at_, &new_, sizeof(new_))) {                                                     \
            *at_ = new_;                                                                                               \
        }                                                                                                              \
        old_;                                                                                                          \
    })

#undef atomic_exchange_explicit
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub_explicit
#undef atomic_fetch_or_explicit
#define atomic_exchange_explicit(object, value, order) EXPLORE_CHANGE("exchange", object, value, value_)
#define atomic_fetch_add_explicit(object, value, order) EXPLORE_CHANGE("add", object, value, old_ + value_)
#define atomic_fetch_sub_explicit(object, value, order) EXPLORE_CHANGE("subtract", object, value, old_ - value_)
#define atomic_fetch_or_explicit(object, value, order) EXPLORE_CHANGE("or", object, value, old_ | value_)

#define EXPLORE_SWAP(object, expected, desired)                                                                        \
    __extension__({                                                                                                    \
        EXPLORE_SITE("swap", #object);                                                                                 \
        __typeof__(*(object)) *at_ = (object);                                                                         \
        __typeof__(*(object)) *expected_ = (expected);                                                                 \
        __typeof__(*(object)) desired_ = (__typeof__(*(object)))(desired);                                             \
        explore_step(&site_, at_, true);                                                                               \
        bool same_ = *at_ == *expected_;                                                                               \
        explore_value(&site_, same_ ? (uint64_t)desired_ : (uint64_t)*at_);                                            \
        if (same_) {                                                                                                   \
            explore_split(&site_);                                                                                     \
            if (!explore_withheld(&site_, at_, &desired_, sizeof(desired_))) {                                         \
                *at_ = desired_;                                                                                       \
            }                                                                                                          \
        } else {                                                                                                       \
            *expected_ = *at_;                                                                                         \
        }                                                                                                              \
        same_;                                                                                                         \
    })

#undef atomic_compare_exchange_strong
#undef atomic_compare_exchange_strong_explicit
#undef atomic_compare_exchange_weak_explicit
#define atomic_compare_exchange_strong(object, expected, desired) EXPLORE_SWAP(object, expected, desired)
#define atomic_compare_exchange_strong_explicit(object, expected, desired, order, order_failed)                        \
    EXPLORE_SWAP(object, expected, desired)
#define atomic_compare_exchange_weak_explicit(object, expected, desired, order, order_failed)                          \
    EXPLORE_SWAP(object, expected, desired)

/* Locks, conditions and threads. Their memory is the explorer's to use. */
#define EXPLORE_CALL(operation_, object_, call)                                                                        \
    __extension__({                                                                                                    \
        EXPLORE_SITE(operation_, #object_);                                                                            \
        call;                                                                                                          \
    })
#define pthread_mutex_init(lock, attributes) ((void)(attributes), explore_lock_init(lock))
#define pthread_mutex_destroy(lock) ((void)(lock))
#define pthread_mutex_lock(lock) EXPLORE_CALL("lock", lock, explore_lock(&site_, lock))
#define pthread_mutex_unlock(lock) explore_unlock(lock)
#define pthread_cond_init(condition, attributes) explore_condition_init(condition)
#define pthread_cond_destroy(condition) ((void)(condition))
#define pthread_cond_wait(condition, lock) EXPLORE_CALL("wait", condition, explore_wait(&site_, condition, lock))
#define pthread_cond_signal(condition) EXPLORE_CALL("signal", condition, explore_signal(&site_, condition, false))
#define pthread_cond_broadcast(condition) EXPLORE_CALL("broadcast", condition, explore_signal(&site_, condition, true))
#define pthread_join(thread, result) EXPLORE_CALL("join", thread, explore_join(&site_, thread))
#define sched_yield() EXPLORE_CALL("yield", core, explore_step(&site_, NULL, false))

/* Descriptors: eventfds, and nothing else. (`close` is the name of a backend's function as well: it is wrapped.) */
#define eventfd(count, flags) explore_eventfd()
#define read(fd, bytes, size) EXPLORE_CALL("read", fd, explore_read(&site_, fd, bytes))
#define write(fd, bytes, size) EXPLORE_CALL("write", fd, explore_write(&site_, fd, bytes))
#define ppoll(polls, count, timeout, signals) EXPLORE_CALL("poll", polls, explore_poll(&site_, polls, count, timeout))

#endif
