/* world.c - lays out the museum.
 *
 * 1. Items are sorted by name; folders become halls: a folder that fits is one hall, a larger one is divided by its
 *    sub-folders, and small neighbours share a hall (halls_divide).
 * 2. Each hall gets the length that its exhibits need (hall_measure), and halls are strung into rows (rows_place).
 * 3. Exhibits are hung and set (hall_fill), clear of the doors. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HALL_WEIGHT_MAX 48u /* exhibits of one hall; a mesh counts twice */
#define HALL_WEIGHT_SHARED 14u /* folders up to this share a hall with their neighbours */
#define MESH_WEIGHT 2u
#define PICTURE_PITCH 2.75f
#define PLINTH_PITCH 3.4f
#define PLINTH_AISLE 2.9f /* from the axis of the hall to a plinth's middle */
#define HALL_MARGIN 1.6f /* between an end wall and the first exhibit's space */
#define TURN_SPACE 5.0f /* kept free at a turn */
#define HALL_LENGTH_MIN 11.0f
#define ROW_LENGTH_MIN 70.0f
#define TWO_ROWS_FROM 13u /* pictures in a hall */
#define CABINET_EXHIBITS_MAX 8u
#define CABINET_WIDTH 9.0f
#define CABINET_LENGTH_MIN 8.0f
#define CABINET_SIDE_MAX 4u /* up to this, all are on one side and can be seen at once */
#define MESH_HALF_WIDTH 0.85f
#define MESH_HEIGHT 2.1f
#define NAME_DEPTH_MAX 32u

typedef struct plan {
    const world_item *items;
    uint32_t *order; /* items by name */
    uint32_t count;
    world *w;
    uint32_t hall_capacity;
    uint32_t open_weight; /* of the last hall, if it may take more */
    bool open;
    size_t open_prefix; /* bytes of the folder whose small parts share the open hall */
} plan;

static int name_compare(const void *a, const void *b, void *items)
{
    const world_item *x = (const world_item *)items + *(const uint32_t *)a;
    const world_item *y = (const world_item *)items + *(const uint32_t *)b;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : *(const uint32_t *)a < *(const uint32_t *)b ? -1 : 1;
}

static uint32_t weight_of(const plan *p, uint32_t first, uint32_t end)
{
    uint32_t weight = 0;
    for (uint32_t i = first; i < end; ++i) {
        weight += p->items[p->order[i]].kind == WORLD_MESH ? MESH_WEIGHT : 1;
    }
    return weight;
}

/* Bytes of the folder which the names in [first, end) have in common, from `prefix` on; ends behind a '/'. */
static size_t prefix_common(const plan *p, uint32_t first, uint32_t end)
{
    const char *a = p->items[p->order[first]].name, *b = p->items[p->order[end - 1]].name;
    size_t common = 0;
    for (size_t i = 0; a[i] != '\0' && a[i] == b[i]; ++i) {
        if (a[i] == '/') {
            common = i + 1;
        }
    }
    return common;
}

static bool hall_open(plan *p, uint32_t first, size_t prefix)
{
    world *w = p->w;
    if (w->hall_count == p->hall_capacity) {
        uint32_t capacity = p->hall_capacity == 0 ? 16 : p->hall_capacity * 2;
        world_hall *halls = realloc(w->halls, capacity * sizeof *halls);
        if (halls == NULL) {
            return false;
        }
        w->halls = halls;
        p->hall_capacity = capacity;
    }
    world_hall *hall = &w->halls[w->hall_count++];
    *hall = (world_hall){ .exhibit_first = first };
    const char *name = p->items[p->order[first]].name;
    size_t size = prefix > 0 ? prefix - 1 : 0;
    if (size == 0) {
        snprintf(hall->name, sizeof hall->name, "Main hall");
    } else {
        size_t skip = size > sizeof hall->name - 8 ? size - (sizeof hall->name - 8) : 0;
        snprintf(hall->name, sizeof hall->name, "%.*s", (int)(size - skip), name + skip);
    }
    return true;
}

/* Puts [first, end) of one folder into halls: into the open one if it is small, else into its own. */
static bool hall_take(plan *p, uint32_t first, uint32_t end, size_t prefix, bool share)
{
    uint32_t weight = weight_of(p, first, end);
    bool joins = share && p->open && p->open_prefix == prefix && p->open_weight + weight <= HALL_WEIGHT_MAX;
    if (!joins) {
        if (!hall_open(p, first, prefix)) {
            return false;
        }
        p->open = share;
        p->open_prefix = prefix;
        p->open_weight = 0;
    }
    p->w->halls[p->w->hall_count - 1].exhibit_count += end - first;
    p->open_weight += weight;
    return true;
}

/* [first, end) shares the folder of `prefix` bytes and is too much for one hall, or part of what is. */
static bool halls_divide(plan *p, uint32_t first, uint32_t end, uint32_t depth)
{
    size_t prefix = prefix_common(p, first, end);
    if (weight_of(p, first, end) <= HALL_WEIGHT_MAX) {
        p->open = false;
        return hall_take(p, first, end, prefix, false);
    }
    p->open = false;
    for (uint32_t i = first; i < end;) {
        const char *name = p->items[p->order[i]].name;
        const char *slash = strchr(name + prefix, '/');
        uint32_t next = i + 1;
        if (slash != NULL) {
            size_t part = (size_t)(slash - name) + 1;
            while (next < end && strncmp(p->items[p->order[next]].name, name, part) == 0) {
                ++next;
            }
        }
        bool small = weight_of(p, i, next) <= HALL_WEIGHT_SHARED || depth >= NAME_DEPTH_MAX;
        bool ok = small ? hall_take(p, i, next, prefix, true) : halls_divide(p, i, next, depth + 1);
        if (!ok) {
            return false;
        }
        i = next;
    }
    p->open = false;
    return true;
}

/* Halls that share a name are numbered: "rocks", "rocks 2". */
static void halls_number(world *w)
{
    for (uint32_t i = 0; i < w->hall_count;) {
        uint32_t end = i + 1;
        while (end < w->hall_count && strcmp(w->halls[end].name, w->halls[i].name) == 0) {
            ++end;
        }
        for (uint32_t k = i + 1; k < end; ++k) {
            size_t size = strlen(w->halls[k].name);
            snprintf(w->halls[k].name + size, sizeof w->halls[k].name - size, " %u", k - i + 1);
        }
        i = end;
    }
}

typedef struct hall_measures {
    uint32_t picture_count, mesh_count;
    uint32_t rows; /* of pictures, one above the other */
    uint32_t columns, plinth_columns; /* of pictures, a wall; of meshes, a side */
    float length; /* without space for turns */
} hall_measures;

/* Exhibits of one kind on the fuller side of a hall. In a cabinet, few are on one side, and so are those that share it.
 */
static uint32_t side_count(const plan *p, uint32_t count, uint32_t others)
{
    return p->w->cabinet && (count <= CABINET_SIDE_MAX || others > 0) ? count : (count + 1) / 2;
}

static hall_measures hall_measure(const plan *p, const world_hall *hall)
{
    hall_measures m = { 0 };
    for (uint32_t i = 0; i < hall->exhibit_count; ++i) {
        m.mesh_count += p->items[p->order[hall->exhibit_first + i]].kind == WORLD_MESH;
    }
    m.picture_count = hall->exhibit_count - m.mesh_count;
    m.rows = m.picture_count >= TWO_ROWS_FROM ? 2 : 1;
    m.columns = (side_count(p, m.picture_count, m.mesh_count) + m.rows - 1) / m.rows;
    m.plinth_columns = side_count(p, m.mesh_count, m.picture_count);
    float pictures = (float)m.columns * PICTURE_PITCH, plinths = (float)m.plinth_columns * PLINTH_PITCH;
    m.length = f_max(f_max(pictures, plinths) + 2 * HALL_MARGIN, p->w->cabinet ? CABINET_LENGTH_MIN : HALL_LENGTH_MIN);
    return m;
}

/* Strings the halls into rows. s runs along the row from where one enters it. */
static void rows_place(const plan *p)
{
    world *w = p->w;
    float total = 0;
    for (uint32_t i = 0; i < w->hall_count; ++i) {
        total += hall_measure(p, &w->halls[i]).length + WORLD_WALL_THICKNESS;
    }
    float row_length = f_max(ROW_LENGTH_MIN, sqrtf(total * WORLD_HALL_WIDTH));
    float x = 0, z = 0, in_row = 0;
    float direction = 1;
    bool turned = false; /* this hall is entered through its side wall */
    for (uint32_t i = 0; i < w->hall_count; ++i) {
        world_hall *hall = &w->halls[i];
        float length = hall_measure(p, hall).length + (turned ? TURN_SPACE : 0);
        bool turns = in_row + length > row_length && i + 1 < w->hall_count;
        length += turns ? TURN_SPACE : 0;
        hall->reversed = direction < 0;
        hall->x0 = direction > 0 ? x : x - length;
        hall->x1 = hall->x0 + length;
        hall->z0 = z;
        hall->z1 = z + (w->cabinet ? CABINET_WIDTH : WORLD_HALL_WIDTH);
        in_row += length + WORLD_WALL_THICKNESS;
        x += direction * length;
        if (i + 1 == w->hall_count) {
            break;
        }
        if (turns) {
            w->doors[i] =
                (world_door){ v3(x - direction * TURN_SPACE * 0.5f, 0, hall->z1 + WORLD_WALL_THICKNESS * 0.5f), true };
            z += WORLD_HALL_WIDTH + WORLD_WALL_THICKNESS;
            direction = -direction;
            in_row = 0;
        } else {
            float middle = (hall->z0 + hall->z1) * 0.5f;
            w->doors[i] = (world_door){ v3(x + direction * WORLD_WALL_THICKNESS * 0.5f, 0, middle), false };
            x += direction * WORLD_WALL_THICKNESS;
        }
        turned = turns;
    }
}

static void picture_hang(world_exhibit *e, float aspect, vec3 spot, float width_max, float height_max, vec3 normal)
{
    aspect = f_clamp(aspect > 0 ? aspect : 1, 0.02f, 50.0f);
    float height = f_min(height_max, width_max / aspect);
    e->half_height = height * 0.5f;
    e->half_width = height * aspect * 0.5f;
    e->center = spot;
    e->normal = normal;
    e->radius = sqrtf(e->half_width * e->half_width + e->half_height * e->half_height);
}

/* Bounds come from a file: whatever they say, what is made of them is finite. */
static float bound_of(float value)
{
    const float most = 1e12f;
    return value > most ? most : value < -most ? -most : value == value ? value : 0;
}

static void mesh_set(world_exhibit *e, const world_item *item, vec3 spot, float toward_aisle)
{
    float lo[3], size[3];
    for (int i = 0; i < 3; ++i) {
        lo[i] = bound_of(item->bounds_min[i]);
        size[i] = f_max(bound_of(item->bounds_max[i]) - lo[i], 0);
    }
    float footprint = f_max(size[0], size[2]);
    e->scale = f_min(2 * MESH_HALF_WIDTH / f_max(footprint, 1e-6f), MESH_HEIGHT / f_max(size[1], 1e-6f));
    e->turn = toward_aisle > 0 ? -0.35f : PI_F + 0.35f;
    vec3 middle = v3(lo[0] + size[0] * 0.5f, lo[1], lo[2] + size[2] * 0.5f);
    float c = cosf(e->turn), s = sinf(e->turn);
    vec3 turned = v3(c * middle.x + s * middle.z, middle.y, -s * middle.x + c * middle.z);
    e->origin = v3_sub(spot, v3_scale(turned, e->scale));
    e->center = v3_add(spot, v3(0, size[1] * e->scale * 0.5f, 0));
    e->radius = 0.5f * v3_length(v3_scale(v3(size[0], size[1], size[2]), e->scale));
    e->half_width = 0.5f * size[0] * e->scale;
    e->half_height = 0.5f * size[2] * e->scale;
    e->normal = v3(0, 0, toward_aisle);
}

/* Where the exhibit at `position` of its kind goes: which side, and which column of `columns` from x0 on. Neighbours in
 * the list face each other across the axis that one walks along; around a cabinet they go in turn, from the left, or
 * from the right for pictures that meshes would stand in front of. */
static bool exhibit_place(const world *w, const world_hall *hall, const hall_measures *m, world_kind kind,
                          uint32_t position, uint32_t *column)
{
    bool picture = kind == WORLD_TEXTURE;
    uint32_t count = picture ? m->picture_count : m->mesh_count, columns = picture ? m->columns : m->plinth_columns;
    if (w->cabinet) {
        bool there = position < columns;
        *column = there ? position : count - 1 - position;
        return there == (picture && m->mesh_count > 0);
    }
    *column = position / (picture ? 2 * m->rows : 2);
    *column = hall->reversed ? columns - 1 - *column : *column;
    return position % 2 == 1;
}

/* Hangs and sets the exhibits of a hall within its free span. */
static void hall_fill(plan *p, uint32_t hall_index)
{
    world *w = p->w;
    world_hall *hall = &w->halls[hall_index];
    hall_measures m = hall_measure(p, hall);
    bool turn_in = hall_index > 0 && w->doors[hall_index - 1].along_z;
    bool turn_out = hall_index + 1 < w->hall_count && w->doors[hall_index].along_z;
    float space_first = hall->reversed ? (turn_out ? TURN_SPACE : 0) : (turn_in ? TURN_SPACE : 0);
    float space_last = hall->reversed ? (turn_in ? TURN_SPACE : 0) : (turn_out ? TURN_SPACE : 0);
    float x0 = hall->x0 + space_first, x1 = hall->x1 - space_last, middle_z = (hall->z0 + hall->z1) * 0.5f;
    float picture_pitch = m.columns > 0 ? f_min((x1 - x0 - 2 * HALL_MARGIN) / (float)m.columns, 4.2f) : 0;
    float picture_x = (x0 + x1 - picture_pitch * (float)m.columns) * 0.5f;
    float plinth_pitch = m.plinth_columns > 0 ? f_min((x1 - x0 - 2 * HALL_MARGIN) / (float)m.plinth_columns, 5.0f) : 0;
    float plinth_x = (x0 + x1 - plinth_pitch * (float)m.plinth_columns) * 0.5f;
    uint32_t picture = 0, mesh = 0;
    for (uint32_t i = 0; i < hall->exhibit_count; ++i) {
        uint32_t item_index = p->order[hall->exhibit_first + i];
        const world_item *item = &p->items[item_index];
        world_exhibit *e = &w->exhibits[hall->exhibit_first + i];
        *e = (world_exhibit){ .item = item_index, .kind = item->kind, .hall = hall_index };
        uint32_t column;
        if (item->kind == WORLD_MESH) {
            float side = exhibit_place(w, hall, &m, WORLD_MESH, mesh++, &column) ? 1.0f : -1.0f;
            mesh_set(e, item,
                     v3(plinth_x + plinth_pitch * ((float)column + 0.5f), WORLD_PLINTH_HEIGHT,
                        middle_z + side * PLINTH_AISLE),
                     -side);
            continue;
        }
        uint32_t row = picture / 2 % m.rows;
        bool far_wall = exhibit_place(w, hall, &m, WORLD_TEXTURE, picture++, &column);
        float y = m.rows == 1 ? 2.35f : row == 0 ? 2.0f : 4.2f;
        float height_max = m.rows == 1 ? 2.4f : 1.75f;
        vec3 spot =
            v3(picture_x + picture_pitch * ((float)column + 0.5f), y, far_wall ? hall->z1 - 0.045f : hall->z0 + 0.045f);
        picture_hang(e, item->aspect, spot, f_min(picture_pitch - 0.5f, 3.2f), height_max, v3(0, 0, far_wall ? -1 : 1));
    }
}

bool world_create(const world_item *items, uint32_t count, world *w)
{
    *w = (world){ 0 };
    if (count == 0) {
        return true;
    }
    plan p = { .items = items, .count = count, .w = w };
    bool ok = false;
    p.order = malloc(count * sizeof *p.order);
    w->exhibits = calloc(count, sizeof *w->exhibits);
    if (p.order == NULL || w->exhibits == NULL) {
        goto done;
    }
    for (uint32_t i = 0; i < count; ++i) {
        p.order[i] = i;
    }
    qsort_r(p.order, count, sizeof *p.order, name_compare, (void *)(uintptr_t)items);
    w->exhibit_count = count;
    if (!halls_divide(&p, 0, count, 0)) {
        goto done;
    }
    w->doors = calloc(w->hall_count, sizeof *w->doors);
    if (w->doors == NULL) {
        goto done;
    }
    halls_number(w);
    w->cabinet = w->hall_count == 1 && count <= CABINET_EXHIBITS_MAX;
    rows_place(&p);
    for (uint32_t i = 0; i < w->hall_count; ++i) {
        hall_fill(&p, i);
    }
    ok = true;
done:
    free(p.order);
    if (!ok) {
        world_destroy(w);
    }
    return ok;
}

void world_destroy(world *w)
{
    free(w->halls);
    free(w->doors);
    free(w->exhibits);
    *w = (world){ 0 };
}

static float hall_distance(const world_hall *hall, vec3 p)
{
    float dx = f_max(f_max(hall->x0 - p.x, p.x - hall->x1), 0), dz = f_max(f_max(hall->z0 - p.z, p.z - hall->z1), 0);
    return dx * dx + dz * dz;
}

uint32_t world_hall_at(const world *w, vec3 point, uint32_t hint)
{
    if (hint < w->hall_count && hall_distance(&w->halls[hint], point) <= 0) {
        return hint;
    }
    uint32_t best = WORLD_NONE;
    float best_distance = INFINITY;
    for (uint32_t i = 0; i < w->hall_count; ++i) {
        float distance = hall_distance(&w->halls[i], point);
        if (distance < best_distance) {
            best_distance = distance;
            best = i;
        }
    }
    return best;
}

#define BODY_RADIUS 0.45f

static bool point_is_free(const world *w, vec3 p)
{
    if (p.y < 0.3f || p.y > WORLD_HALL_HEIGHT - 0.3f) {
        return false;
    }
    for (uint32_t i = 0; i < w->hall_count; ++i) {
        const world_hall *hall = &w->halls[i];
        if (p.x > hall->x0 + BODY_RADIUS && p.x < hall->x1 - BODY_RADIUS && p.z > hall->z0 + BODY_RADIUS &&
            p.z < hall->z1 - BODY_RADIUS) {
            return true;
        }
    }
    for (uint32_t i = 0; i + 1 < w->hall_count; ++i) {
        float along = fabsf(w->doors[i].along_z ? p.z - w->doors[i].center.z : p.x - w->doors[i].center.x);
        float across = fabsf(w->doors[i].along_z ? p.x - w->doors[i].center.x : p.z - w->doors[i].center.z);
        if (along <= WORLD_WALL_THICKNESS + BODY_RADIUS && across < WORLD_DOOR_WIDTH * 0.5f - BODY_RADIUS * 0.5f &&
            p.y < WORLD_DOOR_HEIGHT - 0.2f) {
            return true;
        }
    }
    return false;
}

vec3 world_move(const world *w, vec3 from, vec3 to)
{
    if (point_is_free(w, to) || !point_is_free(w, from)) {
        return to;
    }
    vec3 slides[3] = { v3(to.x, from.y, from.z), v3(from.x, from.y, to.z), v3(from.x, to.y, from.z) };
    vec3 result = from;
    for (int i = 0; i < 3; ++i) {
        vec3 step = v3_add(result, v3_sub(slides[i], from));
        if (point_is_free(w, step)) {
            result = step;
        }
    }
    return result;
}

/* What one can see through a door, cut to `rect`; all of rect while one stands in the door. */
static screen_rect door_rect(const world_door *door, vec3 eye, const mat4 *view_projection, screen_rect rect)
{
    float half = WORLD_DOOR_WIDTH * 0.5f;
    vec3 across = door->along_z ? v3(half, 0, 0) : v3(0, 0, half);
    vec3 along = door->along_z ? v3(0, 0, WORLD_WALL_THICKNESS) : v3(WORLD_WALL_THICKNESS, 0, 0);
    vec3 offset = v3_sub(eye, door->center);
    float depth = fabsf(door->along_z ? offset.z : offset.x);
    if (depth < WORLD_WALL_THICKNESS + 0.4f && fabsf(door->along_z ? offset.x : offset.z) < half + 0.4f) {
        return rect;
    }
    screen_rect box = { INFINITY, INFINITY, -INFINITY, -INFINITY };
    uint32_t behind = 0;
    for (int i = 0; i < 8; ++i) {
        vec3 corner = v3_add(door->center, v3_scale(across, i & 1 ? 1.0f : -1.0f));
        corner = v3_add(corner, v3_scale(along, i & 4 ? 0.5f : -0.5f));
        corner.y = i & 2 ? WORLD_DOOR_HEIGHT : 0;
        float clip[4];
        mat4_project(view_projection, corner, clip);
        if (clip[3] < 0.05f) {
            ++behind;
            continue;
        }
        box.x0 = f_min(box.x0, clip[0] / clip[3]);
        box.x1 = f_max(box.x1, clip[0] / clip[3]);
        box.y0 = f_min(box.y0, clip[1] / clip[3]);
        box.y1 = f_max(box.y1, clip[1] / clip[3]);
    }
    if (behind == 8) {
        return (screen_rect){ 0 };
    }
    return behind > 0 ? rect : screen_rect_intersect(rect, box);
}

uint32_t world_see(const world *w, vec3 eye, const mat4 *view_projection, uint32_t hall, world_visible *visible,
                   uint32_t visible_max)
{
    if (hall >= w->hall_count || visible_max == 0) {
        return 0;
    }
    screen_rect screen = { -1, -1, 1, 1 };
    uint32_t count = 0;
    visible[count++] = (world_visible){ hall, screen };
    /* Halls are a chain: follow it forward and backward until the doors leave nothing to see. */
    screen_rect rect = screen;
    for (uint32_t i = hall; i + 1 < w->hall_count && count < visible_max; ++i) {
        rect = door_rect(&w->doors[i], eye, view_projection, rect);
        if (screen_rect_empty(rect)) {
            break;
        }
        visible[count++] = (world_visible){ i + 1, rect };
    }
    rect = screen;
    for (uint32_t i = hall; i > 0 && count < visible_max; --i) {
        rect = door_rect(&w->doors[i - 1], eye, view_projection, rect);
        if (screen_rect_empty(rect)) {
            break;
        }
        visible[count++] = (world_visible){ i - 1, rect };
    }
    return count;
}

void world_picture_corners(const world_exhibit *e, vec3 corners[4])
{
    vec3 right = v3_cross(v3(0, 1, 0), e->normal);
    vec3 x = v3_scale(right, e->half_width), y = v3(0, e->half_height, 0);
    corners[0] = v3_add(v3_sub(e->center, x), y);
    corners[1] = v3_add(v3_add(e->center, x), y);
    corners[2] = v3_sub(v3_sub(e->center, x), y);
    corners[3] = v3_sub(v3_add(e->center, x), y);
}

screen_rect world_sphere_rect(const mat4 *view_projection, vec3 center, float radius, vec3 right, vec3 up)
{
    screen_rect box = { INFINITY, INFINITY, -INFINITY, -INFINITY };
    float middle[4];
    mat4_project(view_projection, center, middle);
    if (middle[3] < -radius) {
        return (screen_rect){ 0 };
    }
    if (middle[3] < radius + 0.05f) {
        return (screen_rect){ -1, -1, 1, 1 };
    }
    for (int i = 0; i < 4; ++i) {
        float clip[4];
        vec3 corner = v3_add(center, v3_scale(i & 1 ? right : up, i & 2 ? radius : -radius));
        mat4_project(view_projection, corner, clip);
        box.x0 = f_min(box.x0, clip[0] / middle[3]);
        box.x1 = f_max(box.x1, clip[0] / middle[3]);
        box.y0 = f_min(box.y0, clip[1] / middle[3]);
        box.y1 = f_max(box.y1, clip[1] / middle[3]);
    }
    return box;
}
