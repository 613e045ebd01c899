/* sleep.c - the I/O thread goes to sleep, and is woken: both sides of one protocol, and nothing else.
 *
 * WHO SLEEPS says so first (`sleep`, how deep; `starving`, whether returned reads are waited for), then looks once more
 * at all that may have come, and goes only if there is nothing (pump_sleep). WHO POSTS looks only after the post who
 * sleeps (streamer_wake, streamer_wake_for_returned). All four steps are sequentially consistent, so that one of the
 * two sees the other. Of many who find it asleep, the one that takes `sleep` back to AWAKE makes the call.
 *
 * WHAT CAN WAIT is owed (`wake_owed`): the next leat_update makes one call for all of it (streamer_wake_owed), unless
 * the thread has looked by then (sleep_forget_owed). Who waits for events says so first and pays what is owed after
 * that (posts.c), and who owes looks after that whether somebody waits: the same pattern once more.
 *
 * All of it is run in every order of its steps by tests/interleave. */
#include "streamer.h"

#include <errno.h>
#include <string.h>

/* ---- Waking: any thread ---- */

/* Can a sleeping I/O thread be told with the next update, if it does not look before? */
static bool can_wait(const leat_streamer *s, uint32_t sleep, wake_kind kind)
{
    if (sleep != SLEEP_LIGHT) { /* something may be queued that could go out, were it in a hurry */
        return kind <= WAKE_WORK;
    }
    uint32_t waits = atomic_load_explicit(&s->memory_waits, memory_order_relaxed); /* published by `sleep` */
    switch (kind) {
    case WAKE_LATER:
        return true;
    case WAKE_MEMORY:
        return (waits & 1u << LEAT_BIND_LEAT) == 0;
    case WAKE_WORK_LENT:
        return (waits & 1u << LEAT_BIND_LEAT) != 0;
    case WAKE_WORK_LATE:
        return (waits & 1u << LEAT_BIND_LATE) != 0;
    case WAKE_ORDER:
    case WAKE_ORDER_SOON:
    case WAKE_ORDER_NOW:
        return decode_queued(s->decode) == 0;
    case WAKE_WORK:
    case WAKE_SOON:
    case WAKE_NOW:
    case WAKE_BY_WORKER:
        break;
    }
    return false;
}

/* Does somebody wait for events who does not come through leat_update before they are there? */
static bool update_is_awaited(const leat_streamer *s)
{
    return atomic_load_explicit(&s->update_waits, memory_order_seq_cst) != UPDATE_AWAY ||
           atomic_load_explicit(&s->event_fd_public, memory_order_seq_cst);
}

/* The thread may sleep for ever by now, and nobody can help it; leat_destroy does not wait for it. */
__attribute__((cold, noinline)) static void tell_lost_wake(leat_streamer *s, int os_error)
{
    if (!atomic_exchange_explicit(&s->wake_lost, true, memory_order_seq_cst)) {
        log_line(
            &s->log, LEAT_LOG_ERROR,
            "the I/O thread cannot be woken: %s. Does something in this process close descriptors that are not its "
            "own?",
            strerror(os_error));
    }
}

static void wake(leat_streamer *s, bool worker)
{
    if (atomic_exchange_explicit(&s->sleep, SLEEP_AWAKE, memory_order_acq_rel) != SLEEP_AWAKE) {
        count_add(worker ? &s->counters.worker_wake_calls : &s->counters.wake_calls,
                  1); /* of many, one makes the call */
        if (!s->io_ops->wake(s->io)) {
            tell_lost_wake(s, errno);
        }
    }
}

void streamer_wake(leat_streamer *s, wake_kind kind)
{
    /* Sequentially consistent on both sides (pump_sleep): either it sees our mail before it sleeps, or we see that it
     * sleeps, and then also what it has published before. */
    uint32_t sleep = atomic_load_explicit(&s->sleep, memory_order_seq_cst);
    if (sleep == SLEEP_AWAKE || (sleep == SLEEP_DEEP && kind < WAKE_ORDER_NOW) ||
        (sleep == SLEEP_NAP && kind <= WAKE_WORK)) {
        return;
    }
    if (can_wait(s, sleep, kind)) {
        /* Likewise (posts_await, leat_event_fd): either who begins to wait sees what is owed, or we see them. */
        if (!atomic_load_explicit(&s->wake_owed, memory_order_seq_cst)) {
            atomic_store_explicit(&s->wake_owed, true, memory_order_seq_cst);
        }
        if (!update_is_awaited(s)) {
            return;
        }
    }
    wake(s, kind == WAKE_BY_WORKER);
}

void streamer_wake_owed(leat_streamer *s)
{
    if (atomic_load_explicit(&s->wake_owed, memory_order_seq_cst) &&
        atomic_exchange_explicit(&s->wake_owed, false, memory_order_seq_cst)) {
        wake(s, false);
    }
}

/* The workers have enough to do: nothing that the device brings can make them faster. */
static bool decode_is_rich(const leat_streamer *s)
{
    return atomic_load_explicit(&s->decode_bytes, memory_order_seq_cst) >= s->decode_bytes_low;
}

void streamer_wake_for_returned(leat_streamer *s)
{
    /* The I/O thread says that it is `starving` and then looks once more. It is left alone while the workers have
     * enough to do: then it finds much at once, and wakes seldom. */
    bool starving = atomic_load_explicit(&s->starving, memory_order_seq_cst) && !decode_is_rich(s);
    if (starving || atomic_load_explicit(&s->chunks_unread, memory_order_seq_cst) > 0) {
        streamer_wake(s, WAKE_BY_WORKER);
    }
}

/* ---- Sleeping: the I/O thread ---- */

void sleep_forget_owed(leat_streamer *s)
{
    if (atomic_load_explicit(&s->wake_owed, memory_order_relaxed)) {
        /* Sequentially consistent, as the look at the mail behind it is: who finds it owed already posts and is gone,
         * so either that look sees the post, or the poster sees that nothing is owed any more, and says so anew. */
        atomic_store_explicit(&s->wake_owed, false, memory_order_seq_cst);
    }
}

/* How deep the thread may sleep: with reads out and no room for more, only urgent work can make a difference before the
 * next completion, and while the workers have enough to do only what is in a hurry; with reads out and room for more,
 * ordinary work can wait for a completion. So a busy engine does not pay for a wake with each submit and each release.
 */
static sleep_state sleep_depth(const leat_streamer *s, bool nap)
{
    if (nap) {
        return SLEEP_NAP;
    }
    if (s->issue_blocked && s->reads_busy > 0) {
        return SLEEP_DEEP;
    }
    return s->reads_in_flight > 0 || s->issue_blocked ? SLEEP_SHORT : SLEEP_LIGHT;
}

static bool mail_waits(const leat_streamer *s)
{
    return !mpsc_is_empty(&s->mail) || !command_queue_is_empty(&s->commands) ||
           atomic_load_explicit(&s->pack_chores, memory_order_seq_cst) > 0 ||
           atomic_load_explicit(&s->stopping, memory_order_seq_cst) ||
           (!mpsc_is_empty(&s->returned) &&
            ((atomic_load_explicit(&s->starving, memory_order_relaxed) && !decode_is_rich(s)) ||
             atomic_load_explicit(&s->chunks_unread, memory_order_seq_cst) > 0));
}

#define URGENT_MEMORY_NS (10 * NS_PER_S)
#define GATHER_NS (400 * NS_PER_US) /* a frame has forty of them */
#define GATHER_NS_RICH (800 * NS_PER_US) /* half of what the workers have to do by then */

/* A wake is not heard while completions gather, so an engine that reads urgently now and then is not made to wait. */
static bool may_gather(const leat_streamer *s, uint64_t now_ns)
{
    return s->reads_eager == 0 && !s->eager_waits &&
           (s->urgent_ns == 0 || now_ns - u64_min(now_ns, s->urgent_ns) > URGENT_MEMORY_NS);
}

/* While the workers have enough to do, completions gather: the thread naps until a worker says that they run out of
 * work, or something comes that cannot wait. A wake that is saved is a worker that is not interrupted. */
void pump_sleep(leat_streamer *s, uint64_t now_ns)
{
    /* Sequentially consistent on both sides (streamer_wake): either the poster sees that we sleep, or we see its mail.
     */
    bool nap = decode_is_rich(s) && s->reads_eager == 0 && !s->eager_waits && s->submit_count == 0;
    atomic_store_explicit(&s->starving, s->short_of_buffers || nap, memory_order_seq_cst);
    atomic_store_explicit(&s->memory_waits,
                          (sched_count(s->waiting_lent) > 0 ? 1u << LEAT_BIND_LEAT : 0u) |
                              (sched_count(s->waiting_bind) > 0 ? 1u << LEAT_BIND_LATE : 0u),
                          memory_order_relaxed);
    atomic_store_explicit(&s->sleep, sleep_depth(s, nap), memory_order_seq_cst);
    bool wait = !mail_waits(s);
    bool rich = nap && decode_is_rich(s);
    bool gather = may_gather(s, now_ns) && s->reads_in_flight > 1;
    if (wait && rich && !gather) {
        s->io_ops->nap(s->io);
    } else if (wait && gather) {
        s->io_ops->gather(s->io, reads_memory_kept_until_ns(s), rich ? GATHER_NS_RICH : GATHER_NS);
    } else if (wait) {
        s->io_ops->wait(s->io, reads_memory_kept_until_ns(s));
    }
    s->napped = wait && rich;
    atomic_store_explicit(&s->sleep, SLEEP_AWAKE, memory_order_relaxed);
}
