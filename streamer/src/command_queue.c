/* command_queue.c - see command_queue.h. */
#include "command_queue.h"

bool command_queue_init(command_queue *queue, uint64_t capacity, memory *m)
{
    /* With one cell, "full" and "free again" would be the same turn. */
    ASSERT(capacity > 1 && (capacity & (capacity - 1)) == 0);
    *queue = (command_queue){ .capacity = capacity };
    queue->cells = memory_allocate(m, capacity, sizeof(command_cell), CACHE_LINE_SIZE);
    if (queue->cells == NULL) {
        return false;
    }
    for (uint64_t i = 0; i < capacity; ++i) {
        atomic_init(&queue->cells[i].turn, i);
    }
    return true;
}

void command_queue_free(command_queue *queue, memory *m)
{
    memory_free(m, queue->cells, queue->capacity, sizeof(command_cell));
    queue->cells = NULL;
}

command_pushed command_queue_push(command_queue *queue, const command *c)
{
    uint64_t position = atomic_load_explicit(&queue->tail, memory_order_relaxed);
    for (;;) {
        command_cell *cell = &queue->cells[position & (queue->capacity - 1)];
        /* Acquire pairs with the consumer's release: the cell's last command has been copied out. */
        uint64_t turn = atomic_load_explicit(&cell->turn, memory_order_acquire);
        if (turn == position) {
            if (atomic_compare_exchange_weak_explicit(&queue->tail, &position, position + 1, memory_order_seq_cst,
                                                      memory_order_relaxed)) {
                cell->command = *c;
                fetch_to_write(&queue->cells[(position + 1) & (queue->capacity - 1)]); /* for the next one */
                /* seq_cst, not release: the pusher looks next whether the consumer sleeps (mpsc.h). */
                atomic_store_explicit(&cell->turn, position + 1, memory_order_seq_cst);
                /* After it: behind who claims later than this look, our command is written before theirs is. */
                uint64_t tail = atomic_load_explicit(&queue->tail, memory_order_seq_cst);
                return tail == position + 1 ? COMMAND_LAST : COMMAND_OVERTAKEN;
            }
        } else if (turn < position) {
            return COMMAND_REFUSED;
        } else {
            position = atomic_load_explicit(&queue->tail, memory_order_relaxed);
        }
    }
}

bool command_queue_pop(command_queue *queue, command *c)
{
    uint64_t position = atomic_load_explicit(&queue->head, memory_order_relaxed);
    command_cell *cell = &queue->cells[position & (queue->capacity - 1)];
    if (atomic_load_explicit(&cell->turn, memory_order_acquire) != position + 1) {
        return false;
    }
    *c = cell->command;
    atomic_store_explicit(&cell->turn, position + queue->capacity, memory_order_release);
    atomic_store_explicit(&queue->head, position + 1, memory_order_relaxed);
    return true;
}

bool command_queue_is_empty(const command_queue *queue)
{
    uint64_t position = atomic_load_explicit(&queue->head, memory_order_relaxed);
    const command_cell *cell = &queue->cells[position & (queue->capacity - 1)];
    return atomic_load_explicit(&cell->turn, memory_order_seq_cst) != position + 1;
}
