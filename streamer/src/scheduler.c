/* scheduler.c - see scheduler.h.
 *
 * One heap per class and client. They share their memory: a heap is a list of pages of nodes, taken from one pool that
 * is large enough for the capacity however the entries are spread, so that 64 heaps cost no more than one. The nodes
 * carry their keys, and a node has four children: a sift touches few cache lines, also with a million entries. What a
 * node says of an entry is said nowhere else, so that an entry costs 64 bytes, its node included.
 *
 * Ageing needs the entry that has waited longest in each class: entries are admitted in the order of time, so an
 * intrusive list per class, appended at its end, has it at its head. Who comes back later, from waiting for memory or
 * from another class, stands behind those that are there, and so is looked at when they have been.
 *
 * For estimates, the bytes of each class are also kept by deadline, in buckets of a ring with a Fenwick tree over it
 * (Fenwick, "A new data structure for cumulative frequency tables", 1994). */
#include "scheduler.h"

#include "bounds.h"

#define PAGE_NODE_COUNT (1u << SCHED_PAGE_BITS)
#define HEAP_COUNT (SCHED_CLASS_COUNT * LEAT_CLIENT_COUNT)
#define CHILD_COUNT 4u
#define WEIGHT_SCALE 1024u /* virtual time of one byte at weight 1, so that weights divide well */
#define BUCKET_NS (4 * NS_PER_MS)

typedef struct node {
    uint64_t deadline_ns, sequence, position;
    uint32_t id;
} node;

typedef struct heap {
    uint32_t *pages; /* numbers of pages in the pool */
    uint32_t count;
} heap;

typedef struct item {
    uint64_t bytes, queued_ns;
    uint32_t heap_index; /* SCHED_NONE: not queued */
    uint32_t older, newer; /* in the class's list */
    uint8_t rank, client;
    uint8_t queue; /* of those that share the store */
    bool far; /* its bytes are in far_bytes: no deadline, or one beyond the ring */
} item;

struct sched_store {
    memory *memory;
    uint32_t capacity;
    item *items;
    node *nodes; /* the pool: page p is nodes[p << SCHED_PAGE_BITS ...] */
    uint32_t *free_pages;
    uint32_t free_page_count;
    uint32_t page_count; /* capacity / PAGE_NODE_COUNT, and HEAP_COUNT a queue: enough however entries are spread */
    uint32_t queue_count; /* made so far */
    uint32_t queue_count_max;
};

typedef struct class_state {
    uint64_t clock; /* virtual time of what was served last */
    uint64_t times[LEAT_CLIENT_COUNT]; /* virtual time at which each client is served next */
    uint32_t waiting_clients; /* bit mask */
    uint32_t count;
    uint64_t bytes;
    uint32_t oldest, newest;
    uint64_t far_bytes; /* behind all buckets */
    uint64_t early_bytes; /* deadlines that have passed: before all buckets */
    uint64_t base; /* number of the first bucket of the ring */
    uint64_t buckets[SCHED_BUCKET_COUNT];
    uint64_t sums[SCHED_BUCKET_COUNT + 1]; /* Fenwick tree over buckets */
} class_state;

struct sched {
    sched_desc desc;
    sched_store *store;
    item *items; /* the store's */
    node *nodes;
    uint8_t queue; /* its number in the store */
    uint32_t *page_tables; /* HEAP_COUNT x pages_per_heap */
    uint32_t pages_per_heap;
    heap heaps[HEAP_COUNT];
    class_state classes[SCHED_CLASS_COUNT];
    uint32_t count;
    uint64_t bytes;
    uint32_t charges_since_aged;
};

/* ---- Heaps ---- */

static uint32_t heap_number(const item *it)
{
    return (uint32_t)it->rank * LEAT_CLIENT_COUNT + it->client;
}

static heap *heap_of(sched *s, const item *it)
{
    return &s->heaps[heap_number(it)];
}

static node *node_at(const sched *s, const heap *h, uint32_t index)
{
    return &s->nodes[((uint64_t)h->pages[index >> SCHED_PAGE_BITS] << SCHED_PAGE_BITS) +
                     (index & (PAGE_NODE_COUNT - 1))];
}

static bool node_before(const node *a, const node *b)
{
    if (a->deadline_ns != b->deadline_ns) {
        return a->deadline_ns < b->deadline_ns;
    }
    if (a->sequence != b->sequence) {
        return a->sequence < b->sequence;
    }
    if (a->position != b->position) {
        return a->position < b->position;
    }
    return a->id < b->id;
}

static void node_place(sched *s, heap *h, uint32_t index, const node *n)
{
    *node_at(s, h, index) = *n;
    s->items[n->id].heap_index = index;
}

static void sift_up(sched *s, heap *h, uint32_t index, const node *n)
{
    while (index > 0) {
        uint32_t parent = (index - 1) / CHILD_COUNT;
        const node *above = node_at(s, h, parent);
        if (!node_before(n, above)) {
            break;
        }
        node_place(s, h, index, above);
        index = parent;
    }
    node_place(s, h, index, n);
}

static void sift_down(sched *s, heap *h, uint32_t index, const node *n)
{
    for (;;) {
        uint64_t first = (uint64_t)index * CHILD_COUNT + 1;
        if (first >= h->count) {
            break;
        }
        uint32_t best = (uint32_t)first;
        uint32_t end = (uint32_t)u64_min(first + CHILD_COUNT, h->count);
        for (uint32_t child = best + 1; child < end; ++child) {
            if (node_before(node_at(s, h, child), node_at(s, h, best))) {
                best = child;
            }
        }
        if (!node_before(node_at(s, h, best), n)) {
            break;
        }
        node_place(s, h, index, node_at(s, h, best));
        index = best;
    }
    node_place(s, h, index, n);
}

/* Puts a node whose key has changed where it belongs. */
static void sift(sched *s, heap *h, uint32_t index, const node *n)
{
    if (index > 0 && node_before(n, node_at(s, h, (index - 1) / CHILD_COUNT))) {
        sift_up(s, h, index, n);
    } else {
        sift_down(s, h, index, n);
    }
}

static void heap_insert(sched *s, heap *h, const node *n)
{
    if ((h->count & (PAGE_NODE_COUNT - 1)) == 0) {
        ASSERT(s->store->free_page_count > 0);
        h->pages[h->count >> SCHED_PAGE_BITS] = s->store->free_pages[--s->store->free_page_count];
    }
    sift_up(s, h, h->count++, n);
}

static void heap_remove(sched *s, heap *h, uint32_t index)
{
    node last = *node_at(s, h, --h->count);
    if (index < h->count) {
        sift(s, h, index, &last);
    }
    if ((h->count & (PAGE_NODE_COUNT - 1)) == 0) {
        s->store->free_pages[s->store->free_page_count++] = h->pages[h->count >> SCHED_PAGE_BITS];
    }
}

/* The node of a queued entry. */
static node *node_of(const sched *s, const item *it)
{
    return node_at(s, &s->heaps[heap_number(it)], it->heap_index);
}

/* ---- Bytes by deadline ---- */

static void tree_add(class_state *c, uint32_t bucket, uint64_t amount) /* amounts wrap: adding -x takes x away */
{
    c->buckets[bucket] += amount;
    for (uint32_t i = bucket + 1; i <= SCHED_BUCKET_COUNT; i += i & (0u - i)) {
        c->sums[i] += amount;
    }
}

static uint64_t tree_sum(const class_state *c, uint32_t bucket_end) /* of buckets 0 .. bucket_end - 1 */
{
    uint64_t sum = 0;
    for (uint32_t i = bucket_end; i > 0; i -= i & (0u - i)) {
        sum += c->sums[i];
    }
    return sum;
}

/* Buckets that lie in the past become "early", and their places in the ring are free for later ones. */
static void advance_base(class_state *c, uint64_t now_ns)
{
    uint64_t base = now_ns / BUCKET_NS;
    if (base <= c->base) {
        return;
    }
    uint64_t passed = u64_min(base - c->base, SCHED_BUCKET_COUNT);
    for (uint64_t i = 0; i < passed; ++i) {
        uint32_t bucket = (uint32_t)((c->base + i) % SCHED_BUCKET_COUNT);
        if (c->buckets[bucket] != 0) {
            c->early_bytes += c->buckets[bucket];
            tree_add(c, bucket, 0 - c->buckets[bucket]);
        }
    }
    c->base = base;
}

static void deadline_add(class_state *c, item *it, uint64_t deadline_ns)
{
    uint64_t bucket = deadline_ns / BUCKET_NS;
    it->far = bucket >= c->base + SCHED_BUCKET_COUNT;
    if (it->far) {
        c->far_bytes += it->bytes;
    } else if (bucket < c->base) {
        c->early_bytes += it->bytes;
    } else {
        tree_add(c, (uint32_t)(bucket % SCHED_BUCKET_COUNT), it->bytes);
    }
}

static inline void deadline_take(class_state *c, const item *it, uint64_t deadline_ns, uint64_t bytes)
{
    uint64_t bucket = deadline_ns / BUCKET_NS;
    if (it->far) {
        c->far_bytes -= bytes;
    } else if (bucket < c->base) {
        c->early_bytes -= bytes;
    } else {
        tree_add(c, (uint32_t)(bucket % SCHED_BUCKET_COUNT), 0 - bytes);
    }
}

/* ---- Into and out of a class ---- */

static void list_append(sched *s, class_state *c, uint32_t id)
{
    item *it = &s->items[id];
    it->older = c->newest;
    it->newer = SCHED_NONE;
    if (c->newest != SCHED_NONE) {
        s->items[c->newest].newer = id;
    } else {
        c->oldest = id;
    }
    c->newest = id;
}

static void list_remove(sched *s, class_state *c, uint32_t id)
{
    item *it = &s->items[id];
    if (it->older != SCHED_NONE) {
        s->items[it->older].newer = it->newer;
    } else {
        c->oldest = it->newer;
    }
    if (it->newer != SCHED_NONE) {
        s->items[it->newer].older = it->older;
    } else {
        c->newest = it->older;
    }
}

static void enter(sched *s, const node *n)
{
    item *it = &s->items[n->id];
    class_state *c = &s->classes[it->rank];
    heap *h = heap_of(s, it);
    if (h->count == 0) {
        /* A client that was idle begins at the present: it has not saved up a share. */
        c->times[it->client] = u64_max(c->times[it->client], c->clock);
        c->waiting_clients |= 1u << it->client;
    }
    heap_insert(s, h, n);
    list_append(s, c, n->id);
    deadline_add(c, it, n->deadline_ns);
    ++c->count;
    c->bytes += it->bytes;
}

/* Its node, for the next enter. */
static node leave(sched *s, uint32_t id)
{
    item *it = &s->items[id];
    class_state *c = &s->classes[it->rank];
    heap *h = heap_of(s, it);
    node n = *node_at(s, h, it->heap_index);
    heap_remove(s, h, it->heap_index);
    if (h->count == 0) {
        c->waiting_clients &= ~(1u << it->client);
    }
    list_remove(s, c, id);
    deadline_take(c, it, n.deadline_ns, it->bytes);
    --c->count;
    c->bytes -= it->bytes;
    return n;
}

/* ---- Public ---- */

sched_store *sched_store_create(memory *m, uint32_t capacity, uint32_t queue_count)
{
    ASSERT(queue_count > 0 && queue_count <= SCHED_QUEUE_COUNT_MAX);
    sched_store *store = memory_allocate(m, 1, sizeof(*store), CACHE_LINE_SIZE);
    if (store == NULL) {
        return NULL;
    }
    *store = (sched_store){ .memory = m, .capacity = capacity, .queue_count_max = queue_count };
    store->page_count = (capacity + PAGE_NODE_COUNT - 1) / PAGE_NODE_COUNT + HEAP_COUNT * queue_count;
    store->items = memory_allocate(m, capacity, sizeof(*store->items), CACHE_LINE_SIZE);
    store->nodes =
        memory_allocate(m, (uint64_t)store->page_count * PAGE_NODE_COUNT, sizeof(*store->nodes), CACHE_LINE_SIZE);
    store->free_pages = memory_allocate(m, store->page_count, sizeof(*store->free_pages), CACHE_LINE_SIZE);
    if (store->items == NULL || store->nodes == NULL || store->free_pages == NULL) {
        sched_store_destroy(store);
        return NULL;
    }
    for (uint32_t i = 0; i < capacity; ++i) {
        store->items[i].heap_index = SCHED_NONE;
    }
    for (uint32_t i = 0; i < store->page_count; ++i) {
        store->free_pages[store->free_page_count++] = store->page_count - 1 - i;
    }
    return store;
}

void sched_store_destroy(sched_store *store)
{
    if (store == NULL) {
        return;
    }
    memory *m = store->memory;
    memory_free(m, store->free_pages, store->page_count, sizeof(*store->free_pages));
    memory_free(m, store->nodes, (uint64_t)store->page_count * PAGE_NODE_COUNT, sizeof(*store->nodes));
    memory_free(m, store->items, store->capacity, sizeof(*store->items));
    memory_free(m, store, 1, sizeof(*store));
}

sched *sched_create(const sched_desc *desc)
{
    memory *m = desc->memory;
    sched *s = memory_allocate(m, 1, sizeof(*s), CACHE_LINE_SIZE);
    if (s == NULL) {
        return NULL;
    }
    s->desc = *desc;
    s->store = desc->store != NULL ? desc->store : sched_store_create(m, desc->capacity, 1);
    s->pages_per_heap = (desc->capacity + PAGE_NODE_COUNT - 1) / PAGE_NODE_COUNT;
    s->page_tables =
        memory_allocate(m, (uint64_t)s->pages_per_heap * HEAP_COUNT, sizeof(*s->page_tables), CACHE_LINE_SIZE);
    if (s->store == NULL || s->page_tables == NULL) {
        sched_destroy(s);
        return NULL;
    }
    ASSERT(s->store->capacity == desc->capacity && s->store->queue_count < s->store->queue_count_max);
    s->queue = (uint8_t)s->store->queue_count++;
    s->items = s->store->items;
    s->nodes = s->store->nodes;
    for (uint32_t i = 0; i < HEAP_COUNT; ++i) {
        s->heaps[i].pages = s->page_tables + (uint64_t)i * s->pages_per_heap;
    }
    for (uint32_t i = 0; i < SCHED_CLASS_COUNT; ++i) {
        s->classes[i].oldest = s->classes[i].newest = SCHED_NONE;
    }
    s->charges_since_aged = SCHED_AGED_SHARE;
    return s;
}

void sched_destroy(sched *s)
{
    if (s == NULL) {
        return;
    }
    memory *m = s->desc.memory;
    memory_free(m, s->page_tables, (uint64_t)s->pages_per_heap * HEAP_COUNT, sizeof(*s->page_tables));
    if (s->desc.store == NULL) {
        sched_store_destroy(s->store);
    }
    memory_free(m, s, 1, sizeof(*s));
}

void sched_push(sched *s, uint32_t id, const sched_entry *entry)
{
    ASSERT(id < s->desc.capacity && s->items[id].heap_index == SCHED_NONE);
    ASSERT(entry->rank < SCHED_CLASS_COUNT && entry->client < LEAT_CLIENT_COUNT);
    s->items[id] = (item){ .bytes = entry->bytes,
                           .queued_ns = entry->queued_ns,
                           .heap_index = SCHED_NONE,
                           .rank = (uint8_t)entry->rank,
                           .client = (uint8_t)entry->client,
                           .queue = s->queue };
    advance_base(&s->classes[entry->rank], u64_max(entry->queued_ns, entry->now_ns));
    node n = { .deadline_ns = entry->deadline_ns, .sequence = entry->sequence, .position = entry->position, .id = id };
    enter(s, &n);
    ++s->count;
    s->bytes += entry->bytes;
}

void sched_remove(sched *s, uint32_t id)
{
    ASSERT(sched_contains(s, id));
    leave(s, id);
    s->items[id].heap_index = SCHED_NONE;
    --s->count;
    s->bytes -= s->items[id].bytes;
}

bool sched_contains(const sched *s, uint32_t id)
{
    return id < s->desc.capacity && s->items[id].heap_index != SCHED_NONE && s->items[id].queue == s->queue;
}

sched_entry sched_get(const sched *s, uint32_t id)
{
    ASSERT(sched_contains(s, id));
    const item *it = &s->items[id];
    const node *n = node_of(s, it);
    return (sched_entry){ .rank = it->rank,
                          .client = it->client,
                          .deadline_ns = n->deadline_ns,
                          .sequence = n->sequence,
                          .position = n->position,
                          .bytes = it->bytes,
                          .queued_ns = it->queued_ns };
}

void sched_change(sched *s, uint32_t id, uint32_t rank, uint64_t deadline_ns, uint64_t now_ns)
{
    ASSERT(sched_contains(s, id) && rank < SCHED_CLASS_COUNT);
    item *it = &s->items[id];
    if (deadline_ns != NO_DEADLINE) {
        advance_base(&s->classes[rank], now_ns);
    }
    if (it->rank == rank) { /* in place: it keeps its turn in the list of the class */
        class_state *c = &s->classes[rank];
        node n = *node_of(s, it);
        deadline_take(c, it, n.deadline_ns, it->bytes);
        n.deadline_ns = deadline_ns;
        deadline_add(c, it, deadline_ns);
        sift(s, heap_of(s, it), it->heap_index, &n);
        return;
    }
    node n = leave(s, id);
    it->rank = (uint8_t)rank;
    n.deadline_ns = deadline_ns;
    enter(s, &n);
}

static uint32_t top_rank(const sched *s)
{
    uint32_t rank = 0;
    while (rank < SCHED_CLASS_COUNT && s->classes[rank].count == 0) {
        ++rank;
    }
    return rank;
}

/* The entry of a class below this one that has waited longest, and longer than it must. */
static uint32_t aged_entry(const sched *s, uint32_t rank, uint64_t now_ns)
{
    uint32_t best = SCHED_NONE;
    for (uint32_t lower = rank + 1; lower < SCHED_CLASS_COUNT; ++lower) {
        uint32_t oldest = s->classes[lower].oldest;
        if (oldest == SCHED_NONE) {
            continue;
        }
        uint64_t queued_ns = s->items[oldest].queued_ns;
        if (now_ns >= queued_ns && now_ns - queued_ns >= s->desc.ageing_ns &&
            (best == SCHED_NONE || queued_ns < s->items[best].queued_ns)) {
            best = oldest;
        }
    }
    return best;
}

uint32_t sched_peek(const sched *s, uint64_t now_ns)
{
    uint32_t rank = top_rank(s);
    if (rank == SCHED_CLASS_COUNT) {
        return SCHED_NONE;
    }
    bool turn = s->charges_since_aged + 1 >= SCHED_AGED_SHARE;
    uint32_t aged = turn ? aged_entry(s, rank, now_ns) : SCHED_NONE;
    if (aged != SCHED_NONE) {
        return aged;
    }
    const class_state *c = &s->classes[rank];
    uint32_t best = LEAT_CLIENT_COUNT;
    for (uint32_t left = c->waiting_clients; left != 0; left &= left - 1) {
        uint32_t client = (uint32_t)__builtin_ctz(left);
        if (best == LEAT_CLIENT_COUNT || c->times[client] < c->times[best]) {
            best = client;
        }
    }
    return node_at(s, &s->heaps[rank * LEAT_CLIENT_COUNT + best], 0)->id;
}

uint32_t sched_overdue(const sched *s, uint64_t now_ns)
{
    return aged_entry(s, 0, now_ns);
}

static uint64_t virtual_time(const sched *s, uint32_t client, uint64_t bytes)
{
    return bytes * WEIGHT_SCALE / (CANARY(SHARES) ? 1 : s->desc.client_weights[client]);
}

void sched_charge(sched *s, uint32_t id, uint64_t bytes, uint64_t counted, uint64_t position_next, uint64_t now_ns)
{
    ASSERT(sched_contains(s, id));
    item *it = &s->items[id];
    class_state *c = &s->classes[it->rank];
    node n = *node_of(s, it);
    advance_base(c, now_ns);
    uint64_t taken = u64_min(counted, it->bytes);
    deadline_take(c, it, n.deadline_ns, taken);
    it->bytes -= taken;
    c->bytes -= taken;
    s->bytes -= taken;
    c->clock = u64_max(c->clock, c->times[it->client]);
    c->times[it->client] += virtual_time(s, it->client, bytes);
    s->charges_since_aged = it->rank > top_rank(s) ? 0 : u32_min(s->charges_since_aged + 1, SCHED_AGED_SHARE);
    n.position = position_next;
    sift(s, heap_of(s, it), it->heap_index, &n);
}

void sched_pay_back(sched *s, uint32_t rank, uint32_t client, uint64_t bytes)
{
    uint64_t *time = &s->classes[rank].times[client];
    *time -= u64_min(virtual_time(s, client, bytes), *time);
}

void sched_recount(sched *s, uint32_t id, uint64_t bytes)
{
    ASSERT(sched_contains(s, id));
    item *it = &s->items[id];
    class_state *c = &s->classes[it->rank];
    uint64_t less = it->bytes - bytes; /* wraps where it is more */
    deadline_take(c, it, node_of(s, it)->deadline_ns, less);
    c->bytes -= less;
    s->bytes -= less;
    it->bytes = bytes;
}

uint32_t sched_count(const sched *s)
{
    return s->count;
}

uint64_t sched_bytes(const sched *s)
{
    return s->bytes;
}

uint64_t sched_bytes_of(const sched *s, uint32_t rank)
{
    return s->classes[rank].bytes;
}

/* Of the ring's first `end` buckets, counted from the present. */
static uint64_t ring_bytes(const class_state *c, uint32_t end)
{
    uint32_t first = (uint32_t)(c->base % SCHED_BUCKET_COUNT), last = first + end; /* may wrap around the ring's end */
    return last <= SCHED_BUCKET_COUNT
               ? tree_sum(c, last) - tree_sum(c, first)
               : tree_sum(c, SCHED_BUCKET_COUNT) - tree_sum(c, first) + tree_sum(c, last - SCHED_BUCKET_COUNT);
}

/* Of this class, with deadlines in earlier buckets than this one. */
static uint64_t class_bytes_before(const class_state *c, uint64_t bucket)
{
    if (bucket < c->base) {
        return 0;
    }
    uint64_t end = bucket - c->base;
    return c->early_bytes +
           (end < SCHED_BUCKET_COUNT ? ring_bytes(c, (uint32_t)end) : c->bytes - c->far_bytes - c->early_bytes);
}

uint64_t sched_bytes_ahead(const sched *s, uint32_t rank, uint64_t deadline_ns)
{
    uint64_t bytes = 0;
    for (uint32_t higher = 0; higher < rank; ++higher) {
        bytes += s->classes[higher].bytes;
    }
    const class_state *c = &s->classes[rank];
    uint64_t bucket = deadline_ns / BUCKET_NS;
    if (bucket >= c->base + SCHED_BUCKET_COUNT) {
        return bytes + c->bytes;
    }
    return bytes + (bucket < c->base ? c->early_bytes : class_bytes_before(c, bucket + 1));
}

uint64_t sched_bytes_between(const sched *s, sched_turn from, sched_turn to)
{
    uint64_t before = class_bytes_before(&s->classes[from.rank], from.deadline_ns / BUCKET_NS);
    for (uint32_t higher = 0; higher < from.rank; ++higher) {
        before += s->classes[higher].bytes;
    }
    return sched_bytes_ahead(s, to.rank, to.deadline_ns) - before;
}
