/* lists.c - the ways between threads that need no lock: mail, commands, posts, slots. */
#include "scenarios.h"

#include "command_queue.h"
#include "handles.h"
#include "mpsc.h"
#include "post_ring.h"

#include <stdlib.h>
#include <string.h>

static void *give(size_t size, size_t alignment, void *user)
{
    (void)user;
    void *block = NULL;
    return posix_memalign(&block, alignment < sizeof(void *) ? sizeof(void *) : alignment, size) == 0 ? block : NULL;
}

static void take_back(void *block, size_t size, void *user)
{
    (void)size;
    (void)user;
    free(block);
}

memory scenario_memory(void)
{
    return (memory){ .allocator = { .allocate = give, .free = take_back } };
}

/* ---- Mail: two post to the same object, one takes ---- */

#define REASON_A 1u
#define REASON_B 2u
#define REASON_C 4u
#define MAIL_TAKES 2u

static struct {
    mpsc_list list;
    mpsc_link links[2];
    uint32_t had[2]; /* reasons */
    uint32_t had_count[2][3]; /* how often each */
    bool command; /* of held: tells of the second reason */
} mail;

static void mail_begin(int parameter)
{
    (void)parameter;
    memset(&mail, 0, sizeof(mail));
    mpsc_init(&mail.list);
}

static void note_reasons(uint32_t index, uint32_t reasons)
{
    EXPLORE_CHECK((reasons & ~(REASON_A | REASON_B | REASON_C)) == 0);
    mail.had[index] |= reasons;
    mail.had_count[index][0] += (reasons & REASON_A) != 0;
    mail.had_count[index][1] += (reasons & REASON_B) != 0;
    mail.had_count[index][2] += (reasons & REASON_C) != 0;
}

static void take_mail(void)
{
    uint32_t seen = 0;
    uint32_t index = mpsc_take(&mail.list);
    while (index != MPSC_END) {
        EXPLORE_CHECK(index < 2 && (seen & 1u << index) == 0); /* on the list once */
        seen |= 1u << index;
        uint32_t next = mail.links[index].next;
        uint32_t reasons = mpsc_open(&mail.links[index]);
        EXPLORE_CHECK(reasons != 0);
        note_reasons(index, reasons);
        index = next;
    }
}

static void mail_taker(void *argument)
{
    (void)argument;
    for (uint32_t i = 0; i < MAIL_TAKES; ++i) {
        take_mail();
    }
}

static void mail_poster(void *argument)
{
    uint32_t reason = argument != NULL ? REASON_B : REASON_A;
    mpsc_post(&mail.list, &mail.links[0], 0, reason);
    mpsc_post(&mail.list, &mail.links[1], 1, reason);
}

static void mail_posts_begin(int parameter)
{
    mail_begin(parameter);
    explore_thread("A", mail_poster, NULL);
    explore_thread("B", mail_poster, &mail);
    explore_thread("taker", mail_taker, NULL);
}

static void mail_end(void)
{
    take_mail();
    for (uint32_t i = 0; i < 2; ++i) {
        EXPLORE_CHECK(mail.had[i] == (REASON_A | REASON_B) && mail.links[i].mask == 0);
        EXPLORE_CHECK(mail.had_count[i][0] == 1 && mail.had_count[i][1] == 1);
    }
}

/* ---- Mail: a second reason comes while the first is held up before its push ---- */

static void held_first(void *argument)
{
    (void)argument;
    if (mpsc_mark(&mail.links[0], REASON_A)) {
        mpsc_push_chain(&mail.list, 0, &mail.links[0]);
    }
}

static void held_second(void *argument)
{
    (void)argument;
    if (mpsc_mark(&mail.links[0], REASON_B)) {
        mpsc_push_chain(&mail.list, 0, &mail.links[0]);
    } else {
        mail.command = true;
    }
}

/* A third one that finds the slot marked leaves it at that: the push comes. */
static void held_third(void *argument)
{
    (void)argument;
    mpsc_post(&mail.list, &mail.links[0], 0, REASON_C);
}

static void open_held(void)
{
    if (mail.command) {
        mail.command = false;
        note_reasons(0, mpsc_open_held(&mail.links[0], REASON_A));
    }
}

static void held_taker(void *argument)
{
    (void)argument;
    for (uint32_t i = 0; i < MAIL_TAKES; ++i) {
        take_mail();
        open_held();
    }
}

static void held_begin(int parameter)
{
    mail_begin(parameter);
    explore_thread("cancel", held_first, NULL);
    explore_thread("submit", held_second, NULL);
    explore_thread("release", held_third, NULL);
    explore_thread("taker", held_taker, NULL);
}

static void held_end(void)
{
    take_mail();
    open_held();
    EXPLORE_CHECK(mail.had_count[0][0] == 1 && mail.had_count[0][1] == 1 && mail.had_count[0][2] == 1);
    EXPLORE_CHECK(mail.links[0].mask == 0);
}

/* ---- Commands: two push more than there is room for, one pops ---- */

#define COMMAND_ROOM 2u
#define COMMAND_TRIES 2u
#define COMMAND_POPS 3u

static struct {
    command_queue queue;
    bool made;
    uint32_t begun, popped; /* pushes that were begun and not refused; pops that have ended */
    uint64_t pushed[2], next[2]; /* of each pusher: how many; whose turn it is */
} commands;

static void commands_pusher(void *argument)
{
    uint32_t who = argument != NULL;
    for (uint32_t i = 0; i < COMMAND_TRIES; ++i) {
        command c = { .type = COMMAND_BIND, .tag = who, .tag_mask = commands.pushed[who] };
        uint32_t popped = commands.popped;
        ++commands.begun;
        if (command_queue_push(&commands.queue, &c)) {
            ++commands.pushed[who];
        } else {
            EXPLORE_CHECK(--commands.begun >= popped + COMMAND_ROOM); /* it was full at some moment */
        }
    }
}

static bool pop_command(void)
{
    command c;
    if (!command_queue_pop(&commands.queue, &c)) {
        return false;
    }
    ++commands.popped;
    EXPLORE_CHECK(c.type == COMMAND_BIND && c.tag < 2 && c.tag_mask == commands.next[c.tag]); /* in order, once */
    ++commands.next[c.tag];
    return true;
}

static void commands_popper(void *argument)
{
    (void)argument;
    for (uint32_t i = 0; i < COMMAND_POPS; ++i) {
        pop_command();
    }
}

static void commands_begin(int parameter)
{
    (void)parameter;
    memory m = scenario_memory();
    if (commands.made) {
        command_queue_free(&commands.queue, &m);
    }
    memset(&commands, 0, sizeof(commands));
    commands.made = command_queue_init(&commands.queue, COMMAND_ROOM, &m);
    EXPLORE_CHECK(commands.made);
    explore_thread("A", commands_pusher, NULL);
    explore_thread("B", commands_pusher, &commands);
    explore_thread("popper", commands_popper, NULL);
}

static void commands_end(void)
{
    while (pop_command()) {
    }
    EXPLORE_CHECK(commands.next[0] == commands.pushed[0] && commands.next[1] == commands.pushed[1]);
    EXPLORE_CHECK(command_queue_is_empty(&commands.queue));
}

/* ---- Posts: two post, one takes; an object is posted anew once it was taken ---- */

#define POSTS_ROOM 2u /* two objects, one kind each */
#define POSTS_EACH 2u
#define POSTS_PEEKS 4u

static struct {
    post_ring ring;
    bool made;
    bool there[2]; /* that object's post is in the ring */
    uint32_t taken[2];
} posts;

static bool post_is_taken(void *argument)
{
    return !*(bool *)argument;
}

static void posts_poster(void *argument)
{
    static explore_site site = {
        .operation = "await", .object = "its post is taken", .file = __FILE__, .function = "posts_poster"
    };
    uint32_t who = argument != NULL;
    for (uint32_t i = 0; i < POSTS_EACH; ++i) {
        explore_await(&site, post_is_taken, &posts.there[who], PATIENCE_ENDLESS);
        posts.there[who] = true;
        post_ring_push(&posts.ring, POST_TERMINAL, who);
    }
}

static void take_post(void)
{
    uint32_t post = post_ring_peek(&posts.ring, 0);
    if (post != 0) {
        uint32_t who = post_index_of(post);
        EXPLORE_CHECK(post_kind_of(post) == POST_TERMINAL && who < 2 && posts.there[who]);
        post_ring_pop(&posts.ring);
        posts.there[who] = false;
        ++posts.taken[who];
    }
}

static bool post_is_there(void *argument)
{
    (void)argument;
    return posts.ring.posts[posts.ring.head & (posts.ring.capacity - 1)] != 0;
}

static void posts_taker(void *argument)
{
    static explore_site site = {
        .operation = "await", .object = "a post", .file = __FILE__, .function = "posts_taker"
    };
    (void)argument;
    for (uint32_t i = 0; i < POSTS_PEEKS; ++i) {
        explore_await(&site, post_is_there, NULL, PATIENCE_ENDLESS);
        take_post();
    }
}

static void posts_begin(int parameter)
{
    (void)parameter;
    memory m = scenario_memory();
    if (posts.made) {
        post_ring_free(&posts.ring, &m);
    }
    memset(&posts, 0, sizeof(posts));
    posts.made = post_ring_init(&posts.ring, POSTS_ROOM, &m);
    EXPLORE_CHECK(posts.made);
    explore_thread("A", posts_poster, NULL);
    explore_thread("B", posts_poster, &posts);
    explore_thread("taker", posts_taker, NULL);
}

static void posts_end(void)
{
    EXPLORE_CHECK(posts.taken[0] == POSTS_EACH && posts.taken[1] == POSTS_EACH && post_ring_is_empty(&posts.ring));
}

/* ---- Slots: two take and give back, so that the head of the free ones comes back to what it was ---- */

#define SLOT_COUNT 3u

static struct {
    handle_table table;
    bool made;
    uint32_t owner[SLOT_COUNT]; /* thread + 1 */
    uint32_t generation[SLOT_COUNT]; /* the last one */
} slots;

static void own(uint32_t index, uint32_t who)
{
    EXPLORE_CHECK(index < SLOT_COUNT && slots.owner[index] == 0);
    slots.owner[index] = who;
    uint32_t generation = handles_generation_at(&slots.table, index);
    EXPLORE_CHECK(generation > slots.generation[index]);
    slots.generation[index] = generation;
}

static void slots_one(void *argument)
{
    (void)argument;
    uint32_t index, generation;
    if (handles_acquire(&slots.table, &index, &generation)) {
        own(index, 1);
        EXPLORE_CHECK(handles_set(&slots.table, index, generation, 1, 1));
        slots.owner[index] = 0;
        handles_release(&slots.table, index);
        EXPLORE_CHECK(!handles_set(&slots.table, index, generation, 1, 0)); /* stale, whoever has it now */
    }
}

/* Takes two and gives the first back first: the head is then another one, with the same one behind it, or is not. */
static void slots_two(void *argument)
{
    (void)argument;
    uint32_t indices[2];
    uint32_t count = handles_acquire_many(&slots.table, 1, indices);
    count += handles_acquire_many(&slots.table, 1, indices + count);
    for (uint32_t i = 0; i < count; ++i) {
        own(indices[i], 2);
    }
    for (uint32_t i = 0; i < count; ++i) {
        slots.owner[indices[i]] = 0;
        handles_release(&slots.table, indices[i]);
    }
}

static void make_slots(void)
{
    memory m = scenario_memory();
    if (slots.made) {
        handles_free(&slots.table, &m);
    }
    memset(&slots, 0, sizeof(slots));
    slots.made = handles_init(&slots.table, SLOT_COUNT, &m);
    EXPLORE_CHECK(slots.made);
}

static void slots_begin(int parameter)
{
    (void)parameter;
    make_slots();
    explore_thread("one", slots_one, NULL);
    explore_thread("two", slots_two, NULL);
}

static void slots_end(void)
{
    uint32_t indices[SLOT_COUNT];
    EXPLORE_CHECK(handles_acquire_many(&slots.table, SLOT_COUNT, indices) == SLOT_COUNT);
    EXPLORE_CHECK(handles_acquire_many(&slots.table, 1, indices) == 0);
}

/* ---- Flags: of those that exclude each other one is set, and none of a handle that has ended ---- */

static struct {
    uint32_t generation;
    bool set[2];
} flags;

static void flags_setter(void *argument)
{
    uint32_t who = argument != NULL;
    flags.set[who] = handles_set(&slots.table, 0, flags.generation, 1u << who, 3);
}

static void flags_ender(void *argument)
{
    (void)argument;
    handles_release(&slots.table, 0);
    uint32_t index, generation;
    EXPLORE_CHECK(handles_acquire(&slots.table, &index, &generation) && index == 0);
    EXPLORE_CHECK(generation != flags.generation && handles_flags(&slots.table, 0, generation) == HANDLE_FLAG_LIVE);
}

static void flags_begin(int ends)
{
    make_slots();
    memset(&flags, 0, sizeof(flags));
    uint32_t index;
    EXPLORE_CHECK(handles_acquire(&slots.table, &index, &flags.generation) && index == 0);
    explore_thread("A", flags_setter, NULL);
    explore_thread("B", ends ? flags_ender : flags_setter, &flags);
}

static void flags_end(void)
{
    EXPLORE_CHECK(!(flags.set[0] && flags.set[1]));
    uint32_t now = handles_flags(&slots.table, 0, handles_generation_at(&slots.table, 0));
    bool ended = handles_generation_at(&slots.table, 0) != flags.generation;
    EXPLORE_CHECK(ended ? now == HANDLE_FLAG_LIVE : now == (HANDLE_FLAG_LIVE | (flags.set[0] ? 1u : 2u)));
}

static const explore_scenario SCENARIOS[] = {
    { .name = "mail.posts", .preemptions = 3, .preemptions_long = 4, .begin = mail_posts_begin, .end = mail_end },
    { .name = "mail.held", .preemptions = 3, .preemptions_long = 9, .begin = held_begin, .end = held_end },
    { .name = "commands", .preemptions = 3, .preemptions_long = 4, .begin = commands_begin, .end = commands_end },
    { .name = "posts", .preemptions = 3, .preemptions_long = 4, .begin = posts_begin, .end = posts_end },
    { .name = "slots", .preemptions = 4, .preemptions_long = 5, .begin = slots_begin, .end = slots_end },
    { .name = "flags", .preemptions = 9, .preemptions_long = 9, .begin = flags_begin, .end = flags_end },
    { .name = "flags.stale",
      .preemptions = 9,
      .preemptions_long = 9,
      .parameter = 1,
      .begin = flags_begin,
      .end = flags_end },
};

const scenario_list LIST_SCENARIOS = { SCENARIOS, COUNT_OF(SCENARIOS) };
