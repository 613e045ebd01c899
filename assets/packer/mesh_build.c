/* mesh_build.c - see mesh_build.h.
 *
 * Deduplicated, simplified to LODs and ordered with meshoptimizer. The layout is progressive: the coarsest LOD lies
 * first and is complete in itself; each finer one appends the vertices that it adds and its own indices. Simplification
 * only ever drops vertices, so numbering them from the coarsest LOD on makes every LOD a prefix of the vertex buffer.
 */
#include "mesh_build.h"

#include <meshoptimizer.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LOD_COUNT_MAX 6u
#define LOD_RATIO 0.45f /* of the triangles of the LOD before */
#define LOD_SHRINK_MIN 0.8f /* a LOD that is not at least this much smaller is none */
#define LOD_TRIANGLES_MIN 24u /* nothing coarser is worth a LOD */
#define LOD_ERROR_FIRST 0.01f /* of the mesh's size; doubles with each LOD */
#define OVERDRAW_THRESHOLD 1.05f /* vertex cache efficiency that may be given up for less overdraw */
#define SLOPPY_TRIANGLES_MIN 4000u /* what is still larger than this at the end gets one coarse stand-in */
#define VERTICES_16BIT_MAX 65536u

typedef struct lod {
    uint32_t *indices; /* all submeshes, one after the other */
    uint32_t *counts; /* per submesh */
    uint32_t index_count;
    float error;
    uint32_t vertices_added;
} lod;

typedef struct builder {
    const mesh_soup *soup;
    leat_vertex *vertices; /* without duplicates */
    uint32_t vertex_count;
    lod lods[LOD_COUNT_MAX];
    uint32_t lod_count;
    float scale; /* meshoptimizer's errors are relative to this */
    uint32_t *numbers; /* final number of each vertex, UINT32_MAX: not used yet */
    uint32_t numbered;
} builder;

static bool lod_allocate(lod *l, uint32_t index_count, uint32_t submesh_count)
{
    l->indices = malloc(((size_t)index_count + 1) * sizeof(*l->indices));
    l->counts = calloc(submesh_count, sizeof(*l->counts));
    return l->indices != NULL && l->counts != NULL;
}

static void builder_free(builder *b)
{
    for (uint32_t i = 0; i < LOD_COUNT_MAX; ++i) {
        free(b->lods[i].indices);
        free(b->lods[i].counts);
    }
    free(b->vertices);
    free(b->numbers);
}

/* Triangles without area after deduplication only cost: they are dropped. */
static uint32_t drop_degenerate(uint32_t *indices, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i += 3) {
        uint32_t a = indices[i], b = indices[i + 1], c = indices[i + 2];
        if (a != b && b != c && a != c) {
            indices[kept++] = a;
            indices[kept++] = b;
            indices[kept++] = c;
        }
    }
    return kept;
}

/* LOD 0: the soup with each vertex once. */
static bool index_soup(builder *b)
{
    const mesh_soup *soup = b->soup;
    uint32_t *remap = malloc((size_t)soup->vertex_count * sizeof(*remap));
    lod *l = &b->lods[0];
    bool ok = remap != NULL && lod_allocate(l, soup->vertex_count, soup->submesh_count);
    if (ok) {
        b->vertex_count = (uint32_t)meshopt_generateVertexRemap(remap, NULL, soup->vertex_count, soup->vertices,
                                                                soup->vertex_count, sizeof(leat_vertex));
        b->vertices = malloc((size_t)b->vertex_count * sizeof(*b->vertices));
        b->numbers = malloc((size_t)b->vertex_count * sizeof(*b->numbers));
        ok = b->vertices != NULL && b->numbers != NULL;
    }
    if (ok) {
        meshopt_remapVertexBuffer(b->vertices, soup->vertices, soup->vertex_count, sizeof(leat_vertex), remap);
        uint32_t begin = 0;
        for (uint32_t s = 0; s < soup->submesh_count; ++s) {
            uint32_t *out = l->indices + l->index_count;
            uint32_t count = soup->submesh_ends[s] - begin;
            memcpy(out, remap + begin, (size_t)count * sizeof(*out));
            l->counts[s] = drop_degenerate(out, count);
            l->index_count += l->counts[s];
            begin = soup->submesh_ends[s];
        }
        b->lod_count = 1;
    }
    free(remap);
    return ok;
}

/* The next LOD from the finest one, each submesh for itself; borders are locked where submeshes meet, against cracks.
 */
static bool simplify(builder *b, bool sloppy)
{
    const lod *finest = &b->lods[0];
    const lod *before = &b->lods[b->lod_count - 1];
    lod *l = &b->lods[b->lod_count];
    if (!lod_allocate(l, finest->index_count, b->soup->submesh_count)) {
        return false;
    }
    float target_error = sloppy ? 1.0f : LOD_ERROR_FIRST * (float)(1u << (b->lod_count - 1));
    uint32_t options = b->soup->submesh_count > 1 ? meshopt_SimplifyLockBorder : 0;
    uint32_t begin = 0;
    for (uint32_t s = 0; s < b->soup->submesh_count; ++s) {
        const uint32_t *in = finest->indices + begin;
        uint32_t *out = l->indices + l->index_count;
        size_t target = (size_t)((float)before->counts[s] * LOD_RATIO) / 3 * 3;
        float error = 0;
        size_t count =
            sloppy ? meshopt_simplifySloppy(out, in, finest->counts[s], b->vertices[0].position, b->vertex_count,
                                            sizeof(leat_vertex), target / 4, target_error, &error)
                   : meshopt_simplify(out, in, finest->counts[s], b->vertices[0].position, b->vertex_count,
                                      sizeof(leat_vertex), target, target_error, options, &error);
        l->counts[s] = (uint32_t)count;
        l->index_count += l->counts[s];
        l->error = fmaxf(l->error, error * b->scale);
        begin += finest->counts[s];
    }
    bool useful = l->index_count > 0 && (float)l->index_count <= (float)before->index_count * LOD_SHRINK_MIN;
    if (useful) {
        l->error = fmaxf(l->error, before->error); /* coarser is never better, whatever rounding says */
        ++b->lod_count;
    } else {
        free(l->indices);
        free(l->counts);
        *l = (lod){ 0 };
    }
    return true;
}

static bool make_lods(builder *b)
{
    b->scale = meshopt_simplifyScale(b->vertices[0].position, b->vertex_count, sizeof(leat_vertex));
    while (b->lod_count < LOD_COUNT_MAX - 1) {
        uint32_t had = b->lod_count;
        if (b->lods[had - 1].index_count / 3 <= LOD_TRIANGLES_MIN) {
            return true;
        }
        if (!simplify(b, false)) {
            return false;
        }
        if (b->lod_count == had) {
            break;
        }
    }
    return b->lods[b->lod_count - 1].index_count / 3 < SLOPPY_TRIANGLES_MIN || simplify(b, true);
}

static void optimize(builder *b)
{
    for (uint32_t i = 0; i < b->lod_count; ++i) {
        uint32_t *at = b->lods[i].indices;
        for (uint32_t s = 0; s < b->soup->submesh_count; ++s) {
            uint32_t count = b->lods[i].counts[s];
            if (count > 0) {
                meshopt_optimizeVertexCache(at, at, count, b->vertex_count);
                meshopt_optimizeOverdraw(at, at, count, b->vertices[0].position, b->vertex_count, sizeof(leat_vertex),
                                         OVERDRAW_THRESHOLD);
            }
            at += count;
        }
    }
}

/* Numbers the vertices in the order of their first use, from the coarsest LOD on: also the best order for fetching. */
static void number_vertices(builder *b)
{
    memset(b->numbers, 0xff, (size_t)b->vertex_count * sizeof(*b->numbers));
    for (uint32_t i = b->lod_count; i-- > 0;) {
        lod *l = &b->lods[i];
        uint32_t before = b->numbered;
        for (uint32_t k = 0; k < l->index_count; ++k) {
            uint32_t *number = &b->numbers[l->indices[k]];
            if (*number == UINT32_MAX) {
                *number = b->numbered++;
            }
        }
        l->vertices_added = b->numbered - before;
    }
}

/* ---- Layout ---- */

static uint64_t lod_size(const lod *l, uint32_t index_size)
{
    uint64_t size = (uint64_t)l->vertices_added * sizeof(leat_vertex) + (uint64_t)l->index_count * index_size;
    return (size + 3) / 4 * 4;
}

static void write_indices(const builder *b, const lod *l, uint32_t index_size, uint8_t *out)
{
    for (uint32_t k = 0; k < l->index_count; ++k) {
        uint32_t number = b->numbers[l->indices[k]];
        uint16_t small = (uint16_t)number;
        memcpy(out + (size_t)k * index_size, index_size == 2 ? (const void *)&small : (const void *)&number,
               index_size);
    }
}

static void write_metadata(const builder *b, uint32_t index_size, void *metadata)
{
    const mesh_soup *soup = b->soup;
    leat_pack_mesh_metadata *m = metadata;
    *m = (leat_pack_mesh_metadata){ .lod_count = b->lod_count,
                                    .submesh_count = soup->submesh_count,
                                    .vertex_stride = sizeof(leat_vertex),
                                    .index_size = index_size,
                                    .flags = soup->flags,
                                    .material_count = soup->material_count };
    for (uint32_t axis = 0; axis < 3; ++axis) {
        m->bounds_min[axis] = m->bounds_max[axis] = b->vertices[b->lods[0].indices[0]].position[axis];
    }
    for (uint32_t k = 0; k < b->lods[0].index_count; ++k) {
        const float *p = b->vertices[b->lods[0].indices[k]].position;
        for (uint32_t axis = 0; axis < 3; ++axis) {
            m->bounds_min[axis] = fminf(m->bounds_min[axis], p[axis]);
            m->bounds_max[axis] = fmaxf(m->bounds_max[axis], p[axis]);
        }
    }
    leat_pack_lod_record *records = (leat_pack_lod_record *)(void *)(m + 1);
    leat_pack_submesh_record *submeshes = (leat_pack_submesh_record *)(void *)(records + b->lod_count);
    uint32_t vertices = 0, indices = 0;
    uint64_t offset = 0;
    for (uint32_t i = b->lod_count; i-- > 0;) {
        const lod *l = &b->lods[i];
        records[i] = (leat_pack_lod_record){ .vertex_first = vertices,
                                             .vertex_count = l->vertices_added,
                                             .index_first = indices,
                                             .index_count = l->index_count,
                                             .error = l->error,
                                             .raw_offset = offset,
                                             .raw_size = lod_size(l, index_size) };
        uint32_t first = 0;
        for (uint32_t s = 0; s < soup->submesh_count; ++s) {
            submeshes[i * soup->submesh_count + s] = (leat_pack_submesh_record){ .index_first = first,
                                                                                 .index_count = l->counts[s],
                                                                                 .material = soup->materials[s] };
            first += l->counts[s];
        }
        vertices += l->vertices_added;
        indices += l->index_count;
        offset += records[i].raw_size;
    }
}

static bool write_asset(const builder *b, import_asset *asset)
{
    uint32_t index_size = b->numbered <= VERTICES_16BIT_MAX ? 2 : 4;
    for (uint32_t i = 0; i < b->lod_count; ++i) {
        asset->raw_size += lod_size(&b->lods[i], index_size);
    }
    asset->type = LEAT_ASSET_MESH;
    asset->metadata_size = (uint32_t)(sizeof(leat_pack_mesh_metadata) + b->lod_count * sizeof(leat_pack_lod_record) +
                                      (size_t)b->lod_count * b->soup->submesh_count * sizeof(leat_pack_submesh_record));
    asset->raw = calloc(1, asset->raw_size);
    asset->metadata = calloc(1, asset->metadata_size);
    asset->cuts = calloc(b->lod_count, sizeof(*asset->cuts));
    leat_vertex *ordered = malloc((size_t)b->numbered * sizeof(*ordered));
    bool ok = asset->raw != NULL && asset->metadata != NULL && asset->cuts != NULL && ordered != NULL;
    if (ok) {
        for (uint32_t v = 0; v < b->vertex_count; ++v) {
            if (b->numbers[v] != UINT32_MAX) {
                ordered[b->numbers[v]] = b->vertices[v];
            }
        }
        write_metadata(b, index_size, asset->metadata);
        uint8_t *at = asset->raw;
        const leat_vertex *from = ordered;
        for (uint32_t i = b->lod_count; i-- > 0;) {
            const lod *l = &b->lods[i];
            if (at != asset->raw) {
                asset->cuts[asset->cut_count++] = (uint64_t)(at - asset->raw);
            }
            memcpy(at, from, (size_t)l->vertices_added * sizeof(*from));
            write_indices(b, l, index_size, at + (size_t)l->vertices_added * sizeof(*from));
            from += l->vertices_added;
            at += lod_size(l, index_size);
        }
    }
    free(ordered);
    return ok;
}

bool mesh_build(const mesh_soup *soup, import_asset *asset, const char **why)
{
    builder b = { .soup = soup };
    *why = "out of memory";
    bool ok = index_soup(&b);
    if (ok && b.lods[0].index_count == 0) {
        *why = "all its triangles are degenerate";
        ok = false;
    }
    ok = ok && make_lods(&b);
    if (ok) {
        optimize(&b);
        number_vertices(&b);
        ok = write_asset(&b, asset);
    }
    if (!ok) {
        import_asset_free(asset);
    }
    builder_free(&b);
    return ok;
}
