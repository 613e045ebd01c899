/* pack_index.c - see pack_index.h.
 *
 * Every check has one line that says what is wrong and where, because the person who reads it has a broken pack in
 * front of them. All is linear in the size of the index, and reads each byte of it once or twice: opening 10^6 assets
 * is a matter of tens of milliseconds, and no index can make it more: what assets point to is looked at once for each
 * of them, so names are short, and metadata belongs to one asset only. With LEAT_FUZZ_NO_HASH the hashes always match,
 * so that fuzzers get past them.
 */
#include "pack_index.h"

#include "hash.h"

#include <lz4.h>
#include <math.h>
#include <string.h>

#define TEXTURE_EDGE_MAX 65536u
#define TEXTURE_LAYERS_MAX 2048u
#define MESH_LODS_MAX 16u
#define MESH_SUBMESHES_MAX 65536u
#define MESH_MATERIALS_MAX 65536u
#define MESH_VERTICES_MAX (1u << 28)
#define VERTEX_STRIDE ((uint32_t)sizeof(leat_vertex))
#define TEXTURE_FLAGS_ALL (LEAT_TEXTURE_NORMAL_MAP | LEAT_TEXTURE_ALPHA | LEAT_TEXTURE_CUTOUT | LEAT_TEXTURE_CUBE)
#define MESH_FLAGS_ALL (LEAT_MESH_HAS_UV | LEAT_MESH_HAS_NORMALS | LEAT_MESH_HAS_COLORS)
#define MATERIAL_FLAGS_ALL (LEAT_MATERIAL_DOUBLE_SIDED | LEAT_MATERIAL_UNLIT)
#define DIRECTORY_BITS_MAX 24u

static bool hash_matches(const void *bytes, size_t size, uint64_t hash)
{
#ifdef LEAT_FUZZ_NO_HASH
    (void)bytes;
    (void)size;
    (void)hash;
    return true;
#else
    return CANARY(HASH) || hash_bytes(bytes, size) == hash;
#endif
}

/* Where a check stands: the pack's name and where complaints go. */
typedef struct checker {
    const leat_pack_header *header;
    const pack_limits *limits;
    const char *path;
    leat_error *error;
    pack_index *index;
    bool names_plain; /* text_plain() of the names section */
} checker;

#define FORMAT_ERROR(c, ...) error_set((c)->error, LEAT_ERROR_FORMAT, 0, __VA_ARGS__)

static bool all_zero(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    uint8_t any = 0;
    for (size_t i = 0; i < size; ++i) {
        any |= at[i];
    }
    return any == 0;
}

/* ---- Names ---- */

size_t pack_utf8_sequence(const uint8_t *at, size_t left)
{
    uint8_t first = at[0];
    if (first < 0x80) {
        return 1;
    }
    size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || size > left) {
        return 0;
    }
    for (size_t i = 1; i < size; ++i) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (first == 0xe0 && at[1] < 0xa0) || (first == 0xf0 && at[1] < 0x90);
    bool surrogate = first == 0xed && at[1] > 0x9f;
    bool beyond = first == 0xf4 && at[1] > 0x8f;
    return overlong || surrogate || beyond ? 0 : size;
}

/* Most names are ASCII without a part that begins with a dot, and in most packs all are. One look without branches at
 * the whole section says so: the compiler makes vectors of it. Each piece of plain text is plain. False: each name has
 * to be looked at closely. */
static bool text_plain(const uint8_t *at, size_t size)
{
    uint8_t odd = 0;
    for (size_t i = 0; i < size; ++i) {
        odd |= (at[i] < 0x20) | (at[i] >= 0x7f) | (at[i] == '\\');
    }
    for (size_t i = 1; i < size; ++i) {
        odd |= (at[i - 1] == '/') & ((at[i] == '/') | (at[i] == '.'));
    }
    return odd == 0;
}

/* Whether a piece of plain text is a valid name for sure. False: it has to be looked at closely. */
static bool plain_name_valid(const char *name, size_t size)
{
    return size != 0 && size <= LEAT_PACK_NAME_SIZE_MAX && name[0] != '/' && name[0] != '.' && name[size - 1] != '/';
}

/* U+0000 to U+001F, and U+007F to U+009F, of which the last 32 are two bytes. A terminal takes them for commands. */
static bool is_control(const uint8_t *at, size_t left)
{
    return at[0] < 0x20 || at[0] == 0x7f || (at[0] == 0xc2 && left > 1 && at[1] < 0xa0);
}

bool pack_name_valid(const char *name, size_t size)
{
    if (size == 0 || size > LEAT_PACK_NAME_SIZE_MAX) {
        return false;
    }
    const uint8_t *at = (const uint8_t *)name;
    size_t part = 0; /* where the present part between slashes begins */
    for (size_t i = 0; i < size;) {
        if (at[i] == '/') {
            size_t length = i - part;
            if (length == 0 || (length == 1 && at[part] == '.') ||
                (length == 2 && at[part] == '.' && at[part + 1] == '.')) {
                return false;
            }
            part = ++i;
            continue;
        }
        bool refused = at[i] == '\\' || is_control(at + i, size - i);
        size_t sequence = refused ? 0 : pack_utf8_sequence(at + i, size - i);
        if (sequence == 0) {
            return false;
        }
        i += sequence;
    }
    size_t length = size - part;
    return !(length == 0 || (length == 1 && at[part] == '.') ||
             (length == 2 && at[part] == '.' && at[part + 1] == '.'));
}

/* ---- Mips ---- */

uint64_t pack_mip_size(uint32_t format, uint32_t width, uint32_t height, uint32_t layer_count, uint32_t mip)
{
    uint32_t edge = leat_format_block_edge((leat_format)format);
    if (edge == 0 || width == 0 || height == 0 || width > TEXTURE_EDGE_MAX || height > TEXTURE_EDGE_MAX ||
        layer_count == 0 || layer_count > TEXTURE_LAYERS_MAX || mip > 16) {
        return 0;
    }
    uint64_t columns = (u32_max(width >> mip, 1) + edge - 1) / edge;
    uint64_t rows = (u32_max(height >> mip, 1) + edge - 1) / edge;
    return columns * rows * leat_format_block_size((leat_format)format) * layer_count; /* < 2^16 * 2^16 * 2^4 * 2^11 */
}

uint64_t pack_mips_size(uint32_t format, uint32_t width, uint32_t height, uint32_t layer_count, uint32_t mip_count)
{
    uint64_t size = 0;
    if (mip_count == 0 || mip_count > 17) {
        return 0;
    }
    for (uint32_t mip = 0; mip < mip_count; ++mip) {
        uint64_t one = pack_mip_size(format, width, height, layer_count, mip);
        if (one == 0) {
            return 0;
        }
        size += one;
    }
    return size;
}

/* ---- Header ---- */

static leat_result check_sections(const checker *c)
{
    const leat_pack_header *h = c->header;
    static const uint32_t record_sizes[LEAT_PACK_SECTION_COUNT] = { sizeof(leat_pack_asset_record),
                                                                    sizeof(leat_pack_chunk_record), 1, 1,
                                                                    sizeof(leat_pack_reference_record) };
    if (h->section_count < LEAT_PACK_SECTION_COUNT || h->section_count > LEAT_PACK_SECTION_MAX) {
        return FORMAT_ERROR(c, "%s: has %u index sections; this version has %u", c->path, h->section_count,
                            LEAT_PACK_SECTION_COUNT);
    }
    if (!all_zero(h->sections + h->section_count,
                  (LEAT_PACK_SECTION_MAX - h->section_count) * sizeof(h->sections[0]))) {
        return FORMAT_ERROR(c, "%s: says where index sections lie that it does not have (it has %u)", c->path,
                            h->section_count);
    }
    uint64_t before = 0;
    for (uint32_t i = 0; i < LEAT_PACK_SECTION_COUNT; ++i) {
        const leat_pack_section *s = &h->sections[i];
        uint64_t end;
        if (s->offset % 8 != 0 || s->offset < before || add_overflows(s->offset, s->size, &end) ||
            end > h->index_size || s->size % record_sizes[i] != 0 || s->size / record_sizes[i] >= UINT32_MAX) {
            return FORMAT_ERROR(c, "%s: index section %u (offset %llu, %llu bytes) does not fit", c->path, i,
                                (unsigned long long)s->offset, (unsigned long long)s->size);
        }
        before = end;
    }
    return LEAT_OK;
}

leat_result pack_header_check(const leat_pack_header *h, uint64_t file_size, const pack_limits *limits,
                              const char *path, leat_error *error)
{
    checker c = { .header = h, .limits = limits, .path = path, .error = error };
    if (memcmp(h->magic, LEAT_PACK_MAGIC, LEAT_PACK_MAGIC_SIZE) != 0) {
        return FORMAT_ERROR(&c, "%s: is not a Leat pack (its first bytes are others)", path);
    }
    if (h->version > LEAT_PACK_VERSION) {
        return error_set(error, LEAT_ERROR_VERSION, 0,
                         "%s: has format version %u, this library reads up to %u; update Leat", path, h->version,
                         LEAT_PACK_VERSION);
    }
    if (h->version == 0 || h->header_size != sizeof(*h)) {
        return FORMAT_ERROR(&c, "%s: has a header of version %u and %u bytes, which there is not", path, h->version,
                            h->header_size);
    }
    if (!hash_matches(h, offsetof(leat_pack_header, header_hash), h->header_hash)) {
        return error_set(error, LEAT_ERROR_DAMAGED, 0, "%s: its header does not match its hash; copy or pack it again",
                         path);
    }
    if (file_size < h->file_size) {
        return error_set(error, LEAT_ERROR_TRUNCATED, 0, "%s: has %llu of its %llu bytes; copy or pack it again", path,
                         (unsigned long long)file_size, (unsigned long long)h->file_size);
    }
    uint64_t end;
    if (file_size > h->file_size || h->index_offset % LEAT_PACK_ALIGNMENT != 0 || h->index_offset < h->header_size ||
        add_overflows(h->index_offset, h->index_size, &end) || end != h->file_size) {
        return FORMAT_ERROR(&c, "%s: its index (offset %llu, %llu bytes) does not end with the file (%llu bytes)", path,
                            (unsigned long long)h->index_offset, (unsigned long long)h->index_size,
                            (unsigned long long)file_size);
    }
    if (h->index_size > limits->index_bytes_max) {
        return error_set(error, LEAT_ERROR_LIMIT, 0, "%s: its index has %llu bytes; pack_index_bytes_max is %llu", path,
                         (unsigned long long)h->index_size, (unsigned long long)limits->index_bytes_max);
    }
    if (h->base_content_hash != 0 || !all_zero(h->reserved, sizeof(h->reserved))) {
        return FORMAT_ERROR(&c, "%s: uses header fields that version %u reserves", path, h->version);
    }
    return check_sections(&c);
}

/* ---- Chunks ---- */

static leat_result check_chunk(const checker *c, uint32_t i, uint64_t raw_offset, uint64_t *file_end)
{
    const leat_pack_chunk_record *k = &c->index->chunks[i];
    uint64_t end;
    if (k->raw_offset != raw_offset || k->raw_size == 0 || k->raw_size > LEAT_PACK_CHUNK_RAW_MAX) {
        return FORMAT_ERROR(c, "%s: chunk %u holds raw bytes %llu + %u; expected from %llu on, at most %u", c->path, i,
                            (unsigned long long)k->raw_offset, k->raw_size, (unsigned long long)raw_offset,
                            LEAT_PACK_CHUNK_RAW_MAX);
    }
    if (k->packed_size == 0 || k->packed_size > LEAT_PACK_CHUNK_RAW_MAX ||
        k->file_offset % LEAT_PACK_CHUNK_ALIGNMENT != 0 || k->file_offset < *file_end ||
        add_overflows(k->file_offset, k->packed_size, &end) || end > c->header->index_offset) {
        return FORMAT_ERROR(c, "%s: chunk %u lies at file offset %llu + %u, which is misplaced", c->path, i,
                            (unsigned long long)k->file_offset, k->packed_size);
    }
    if (k->codec >= LEAT_PACK_CODEC_COUNT || k->filter != 0 || k->flags != 0 || k->parameter != 0) {
        return FORMAT_ERROR(c, "%s: chunk %u has codec %u and filter %u, which version %u does not know", c->path, i,
                            k->codec, k->filter, c->header->version);
    }
    bool fits = k->codec == LEAT_PACK_CODEC_STORED ? k->raw_size == k->packed_size
                                                   : k->raw_size <= (uint64_t)k->packed_size * 255 + 64;
    if (!fits) {
        return FORMAT_ERROR(c, "%s: chunk %u cannot grow from %u to %u bytes", c->path, i, k->packed_size, k->raw_size);
    }
    if (c->limits->chunk_ratio_max != 0 && k->raw_size / k->packed_size > c->limits->chunk_ratio_max) {
        return error_set(c->error, LEAT_ERROR_LIMIT, 0, "%s: chunk %u grows from %u to %u bytes; chunk_ratio_max is %u",
                         c->path, i, k->packed_size, k->raw_size, c->limits->chunk_ratio_max);
    }
    *file_end = end;
    return LEAT_OK;
}

static leat_result check_chunks(const checker *c)
{
    uint64_t raw_offset = 0;
    uint64_t file_end = c->header->header_size;
    for (uint32_t i = 0; i < c->index->chunk_count; ++i) {
        leat_result result = check_chunk(c, i, raw_offset, &file_end);
        if (result != LEAT_OK) {
            return result;
        }
        raw_offset += c->index->chunks[i].raw_size;
    }
    if (raw_offset != c->header->raw_size) {
        return FORMAT_ERROR(c, "%s: its chunks hold %llu raw bytes, its header says %llu", c->path,
                            (unsigned long long)raw_offset, (unsigned long long)c->header->raw_size);
    }
    return LEAT_OK;
}

/* ---- Metadata ---- */

static bool finite_floats(const float *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; ++i) {
        if (!isfinite(values[i])) {
            return false;
        }
    }
    return true;
}

static bool texture_valid(const leat_pack_texture_metadata *m, uint64_t size, uint64_t raw_size)
{
    if (size != sizeof(*m) || m->width == 0 || m->height == 0 || m->width > TEXTURE_EDGE_MAX ||
        m->height > TEXTURE_EDGE_MAX) {
        return false;
    }
    uint32_t levels = 32u - (uint32_t)__builtin_clz(u32_max(m->width, m->height));
    bool cube_fits = !(m->flags & LEAT_TEXTURE_CUBE) || (m->layer_count % 6 == 0 && m->width == m->height);
    return m->mip_count >= 1 && m->mip_count <= levels && cube_fits && (m->flags & ~(uint32_t)TEXTURE_FLAGS_ALL) == 0 &&
           isfinite(m->alpha_cutoff) && m->alpha_cutoff >= 0 && m->alpha_cutoff <= 1 && m->reserved[0] == 0 &&
           m->reserved[1] == 0 && raw_size != 0 &&
           pack_mips_size(m->format, m->width, m->height, m->layer_count, m->mip_count) == raw_size;
}

static bool submeshes_valid(const leat_pack_mesh_metadata *m, const leat_pack_lod_record *lod,
                            const leat_pack_submesh_record *submeshes)
{
    for (uint32_t i = 0; i < m->submesh_count; ++i) {
        const leat_pack_submesh_record *s = &submeshes[i];
        if (s->index_first > lod->index_count || s->index_count > lod->index_count - s->index_first ||
            s->index_count % 3 != 0 || s->material >= u32_max(m->material_count, 1) || s->reserved != 0) {
            return false;
        }
    }
    return true;
}

/* LODs follow each other from the coarsest, without gaps, and end with the asset. */
static bool lods_valid(const leat_pack_mesh_metadata *m, uint64_t raw_size)
{
    const leat_pack_lod_record *lods = (const leat_pack_lod_record *)(const void *)(m + 1);
    const leat_pack_submesh_record *submeshes = (const leat_pack_submesh_record *)(const void *)(lods + m->lod_count);
    uint64_t vertices = 0, indices = 0, offset = 0;
    for (uint32_t i = m->lod_count; i-- > 0;) {
        const leat_pack_lod_record *lod = &lods[i];
        uint64_t size = (uint64_t)lod->vertex_count * m->vertex_stride + (uint64_t)lod->index_count * m->index_size;
        if (lod->vertex_first != vertices || lod->index_first != indices || lod->index_count % 3 != 0 ||
            lod->raw_offset != offset || lod->raw_size != align_up(size, 4) || !isfinite(lod->error) ||
            lod->error < 0 || lod->reserved != 0 ||
            !submeshes_valid(m, lod, submeshes + (uint64_t)i * m->submesh_count)) {
            return false;
        }
        vertices += lod->vertex_count;
        indices += lod->index_count;
        offset += lod->raw_size;
        if (vertices > (m->index_size == 2 ? 65536u : MESH_VERTICES_MAX) || indices > UINT32_MAX) {
            return false;
        }
    }
    return offset == raw_size;
}

static bool mesh_valid(const leat_pack_mesh_metadata *m, uint64_t size, uint64_t raw_size)
{
    if (size < sizeof(*m) || m->lod_count == 0 || m->lod_count > MESH_LODS_MAX || m->submesh_count == 0 ||
        m->submesh_count > MESH_SUBMESHES_MAX || m->material_count > MESH_MATERIALS_MAX) {
        return false;
    }
    uint64_t expected = sizeof(*m) + m->lod_count * sizeof(leat_pack_lod_record) +
                        (uint64_t)m->lod_count * m->submesh_count * sizeof(leat_pack_submesh_record);
    if (size != expected || m->vertex_stride != VERTEX_STRIDE || (m->index_size != 2 && m->index_size != 4) ||
        (m->flags & ~(uint32_t)MESH_FLAGS_ALL) != 0 || !finite_floats(m->bounds_min, 3) ||
        !finite_floats(m->bounds_max, 3)) {
        return false;
    }
    for (uint32_t axis = 0; axis < 3; ++axis) {
        if (m->bounds_min[axis] > m->bounds_max[axis]) {
            return false;
        }
    }
    return lods_valid(m, raw_size);
}

static bool material_valid(const leat_pack_material_metadata *m, uint64_t size, uint64_t raw_size)
{
    return size == sizeof(*m) && raw_size == 0 && finite_floats(m->base_color, 4) && finite_floats(m->emissive, 3) &&
           isfinite(m->metallic) && isfinite(m->roughness) && isfinite(m->normal_scale) && isfinite(m->alpha_cutoff) &&
           m->alpha_mode <= LEAT_ALPHA_BLEND && (m->flags & ~(uint32_t)MATERIAL_FLAGS_ALL) == 0 &&
           all_zero(m->reserved, sizeof(m->reserved));
}

static bool metadata_valid(const pack_index *index, const leat_pack_asset_record *a)
{
    uint64_t end = (uint64_t)a->metadata_offset + a->metadata_size;
    if (a->metadata_offset % 8 != 0 || end > index->metadata_size) {
        return false;
    }
    const void *metadata = index->metadata + a->metadata_offset;
    switch (a->type) {
    case LEAT_ASSET_TEXTURE:
        return texture_valid(metadata, a->metadata_size, a->raw_size);
    case LEAT_ASSET_MESH:
        return mesh_valid(metadata, a->metadata_size, a->raw_size);
    case LEAT_ASSET_MATERIAL:
        return material_valid(metadata, a->metadata_size, a->raw_size);
    default:
        return a->metadata_size == 0;
    }
}

/* ---- Assets ---- */

static bool range_valid(const pack_index *index, const leat_pack_asset_record *a)
{
    if (a->raw_size == 0) {
        return a->raw_offset == 0 && a->chunk_first == 0;
    }
    uint64_t end;
    if (a->raw_offset % LEAT_PACK_RAW_ALIGNMENT != 0 || add_overflows(a->raw_offset, a->raw_size, &end) ||
        end > index->raw_size || a->chunk_first >= index->chunk_count) {
        return false;
    }
    const leat_pack_chunk_record *k = &index->chunks[a->chunk_first];
    return k->raw_offset <= a->raw_offset && a->raw_offset - k->raw_offset < k->raw_size;
}

static bool name_inside(const pack_index *index, const leat_pack_asset_record *a)
{
    return (uint64_t)a->name_offset + a->name_size <= index->names_size;
}

/* leat_name_hash() of up to four names side by side: its multiplications each wait for the one before, and four chains
 * keep the multiplier busy. In step as far as the shortest name goes, then each to its own end. A name that is not in
 * its section is taken for an empty one; check_asset refuses it. */
#define NAME_LANES 4u
static void hash_names(const pack_index *index, uint32_t first, uint32_t count, uint64_t hashes[NAME_LANES])
{
    const uint64_t basis = 0xcbf29ce484222325u, prime = 0x100000001b3u;
    const uint8_t *at[NAME_LANES];
    uint32_t sizes[NAME_LANES], shortest = UINT32_MAX;
    for (uint32_t lane = 0; lane < NAME_LANES; ++lane) {
        const leat_pack_asset_record *a = &index->assets[first + u32_min(lane, count - 1)];
        bool inside = name_inside(index, a);
        at[lane] = (const uint8_t *)index->names + (inside ? a->name_offset : 0);
        sizes[lane] = inside ? a->name_size : 0;
        shortest = u32_min(shortest, sizes[lane]);
    }
    uint64_t h0 = basis, h1 = basis, h2 = basis, h3 = basis;
    for (uint32_t i = 0; i < shortest; ++i) {
        h0 = (h0 ^ at[0][i]) * prime;
        h1 = (h1 ^ at[1][i]) * prime;
        h2 = (h2 ^ at[2][i]) * prime;
        h3 = (h3 ^ at[3][i]) * prime;
    }
    const uint64_t in_step[NAME_LANES] = { h0, h1, h2, h3 };
    for (uint32_t lane = 0; lane < NAME_LANES; ++lane) {
        uint64_t hash = in_step[lane];
        for (uint32_t i = shortest; i < sizes[lane]; ++i) {
            hash = (hash ^ at[lane][i]) * prime;
        }
        hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdu;
        hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53u;
        hashes[lane] = hash ^ (hash >> 33);
    }
}

static bool name_valid(const checker *c, const char *name, size_t size)
{
    return (c->names_plain && plain_name_valid(name, size)) || pack_name_valid(name, size);
}

static leat_result check_asset(const checker *c, uint32_t i, uint64_t name_hash)
{
    const pack_index *index = c->index;
    const leat_pack_asset_record *a = &index->assets[i];
    const char *name = name_inside(index, a) ? index->names + a->name_offset : NULL;
    if (name == NULL || !name_valid(c, name, a->name_size) || name_hash != a->name_hash) {
        return FORMAT_ERROR(c, "%s: asset %u has no valid name", c->path, i);
    }
    if (i > 0 && index->assets[i - 1].name_hash >= a->name_hash) {
        return FORMAT_ERROR(c, "%s: asset %u (%.*s) is out of order or there twice", c->path, i, (int)a->name_size,
                            name);
    }
    if (a->type >= LEAT_ASSET_TYPE_COUNT || a->flags != 0 || a->reserved != 0) {
        return FORMAT_ERROR(c, "%s: %.*s: type %u is not known to version %u", c->path, (int)a->name_size, name,
                            a->type, c->header->version);
    }
    if (!range_valid(index, a)) {
        return FORMAT_ERROR(c, "%s: %.*s: its bytes (%llu + %llu) are not in the pack", c->path, (int)a->name_size,
                            name, (unsigned long long)a->raw_offset, (unsigned long long)a->raw_size);
    }
    if (a->raw_size > c->limits->asset_bytes_max) {
        return error_set(c->error, LEAT_ERROR_LIMIT, 0, "%s: %.*s has %llu bytes; asset_bytes_max is %llu", c->path,
                         (int)a->name_size, name, (unsigned long long)a->raw_size,
                         (unsigned long long)c->limits->asset_bytes_max);
    }
    if (a->reference_first > index->reference_count ||
        a->reference_count > index->reference_count - a->reference_first) {
        return FORMAT_ERROR(c, "%s: %.*s: its references are not in the table", c->path, (int)a->name_size, name);
    }
    if (!metadata_valid(index, a)) {
        return FORMAT_ERROR(c, "%s: %.*s: its metadata contradicts itself or its size", c->path, (int)a->name_size,
                            name);
    }
    return LEAT_OK;
}

static leat_result check_assets(const checker *c)
{
    const pack_index *index = c->index;
    uint64_t hashes[NAME_LANES];
    uint64_t metadata_left = index->metadata_size;
    for (uint32_t i = 0; i < index->asset_count; ++i) {
        if (i % NAME_LANES == 0) {
            hash_names(index, i, u32_min(NAME_LANES, index->asset_count - i), hashes);
        }
        leat_result result = check_asset(c, i, hashes[i % NAME_LANES]);
        if (result != LEAT_OK) {
            return result;
        }
        if (index->assets[i].metadata_size > metadata_left) {
            return FORMAT_ERROR(c, "%s: its assets have more metadata than the %llu bytes that are there", c->path,
                                (unsigned long long)index->metadata_size);
        }
        metadata_left -= index->assets[i].metadata_size;
    }
    return LEAT_OK;
}

static leat_result check_references(const checker *c)
{
    for (uint32_t i = 0; i < c->index->reference_count; ++i) {
        const leat_pack_reference_record *r = &c->index->references[i];
        if (r->role > LEAT_REFERENCE_OTHER || r->slot >= MESH_MATERIALS_MAX) {
            return FORMAT_ERROR(c, "%s: reference %u has role %u and slot %u", c->path, i, r->role, r->slot);
        }
    }
    return LEAT_OK;
}

/* ---- Directory ---- */

static uint32_t directory_bits(uint64_t asset_count)
{
    uint32_t bits = 1;
    while (bits < DIRECTORY_BITS_MAX && (UINT64_C(1) << bits) < asset_count) {
        ++bits;
    }
    return bits;
}

uint64_t pack_directory_size(uint64_t asset_count)
{
    return (UINT64_C(1) << directory_bits(asset_count)) + 1;
}

/* directory[b] is the first asset whose hash has top bits >= b, which is how many there are with smaller ones; one
 * entry more closes the last bucket. Without a branch that depends on the hashes: the last asset of each bucket stays
 * written behind it, and buckets without any take over what stands before them. */
void pack_index_directory(pack_index *index, uint32_t *directory)
{
    uint32_t bits = directory_bits(index->asset_count);
    uint64_t bucket_count = UINT64_C(1) << bits;
    memset(directory, 0, (bucket_count + 1) * sizeof(*directory));
    for (uint32_t i = 0; i < index->asset_count; ++i) {
        directory[(index->assets[i].name_hash >> (64 - bits)) + 1] = i + 1;
    }
    uint32_t before = 0;
    for (uint64_t bucket = 0; bucket <= bucket_count; ++bucket) {
        before = u32_max(before, directory[bucket]);
        directory[bucket] = before;
    }
    index->directory = directory;
    index->directory_bits = bits;
}

/* ---- Public ---- */

leat_result pack_index_check(const leat_pack_header *header, const void *bytes, const pack_limits *limits,
                             uint32_t *directory, pack_index *index, const char *path, leat_error *error)
{
    const uint8_t *base = bytes;
    const leat_pack_section *s = header->sections;
    *index = (pack_index){
        .assets = (const void *)(base + s[LEAT_PACK_SECTION_ASSETS].offset),
        .chunks = (const void *)(base + s[LEAT_PACK_SECTION_CHUNKS].offset),
        .names = (const char *)(base + s[LEAT_PACK_SECTION_NAMES].offset),
        .metadata = base + s[LEAT_PACK_SECTION_METADATA].offset,
        .references = (const void *)(base + s[LEAT_PACK_SECTION_REFERENCES].offset),
        .asset_count = (uint32_t)(s[LEAT_PACK_SECTION_ASSETS].size / sizeof(leat_pack_asset_record)),
        .chunk_count = (uint32_t)(s[LEAT_PACK_SECTION_CHUNKS].size / sizeof(leat_pack_chunk_record)),
        .reference_count = (uint32_t)(s[LEAT_PACK_SECTION_REFERENCES].size / sizeof(leat_pack_reference_record)),
        .names_size = s[LEAT_PACK_SECTION_NAMES].size,
        .metadata_size = s[LEAT_PACK_SECTION_METADATA].size,
        .raw_size = header->raw_size,
    };
    checker c = { .header = header, .limits = limits, .path = path, .error = error, .index = index };
    if (!hash_matches(bytes, header->index_size, header->index_hash)) {
        return error_set(error, LEAT_ERROR_DAMAGED, 0, "%s: its index does not match its hash; copy or pack it again",
                         path);
    }
    c.names_plain = text_plain((const uint8_t *)index->names, index->names_size);
    leat_result result = check_chunks(&c);
    if (result == LEAT_OK) {
        result = check_assets(&c);
    }
    if (result == LEAT_OK) {
        result = check_references(&c);
    }
    if (result == LEAT_OK && directory != NULL) {
        pack_index_directory(index, directory);
    }
    return result;
}

uint32_t pack_index_find(const pack_index *index, uint64_t name_hash)
{
    uint32_t low = 0, high = index->asset_count;
    if (index->directory != NULL) {
        uint64_t bucket = name_hash >> (64 - index->directory_bits);
        low = index->directory[bucket];
        high = index->directory[bucket + 1];
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (index->assets[middle].name_hash < name_hash) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < index->asset_count && index->assets[low].name_hash == name_hash ? low : UINT32_MAX;
}

uint32_t pack_index_chunk_at(const pack_index *index, uint64_t raw_offset)
{
    ASSERT(raw_offset < index->raw_size);
    uint32_t low = 0, high = index->chunk_count; /* chunk `low` begins at or before raw_offset */
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (index->chunks[middle].raw_offset <= raw_offset) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

uint64_t pack_index_packed_size(const pack_index *index, uint32_t first, uint32_t end)
{
    const leat_pack_chunk_record *a = &index->chunks[first];
    const leat_pack_chunk_record *z = &index->chunks[end - 1];
    return index->loose ? z->raw_offset + z->raw_size - a->raw_offset
                        : z->file_offset + z->packed_size - a->file_offset;
}

leat_result pack_chunk_check(const leat_pack_chunk_record *record, const void *packed)
{
    bool good = (record->flags & PACK_CHUNK_LOOSE) || hash_matches(packed, record->packed_size, record->hash);
    return good ? LEAT_OK : LEAT_ERROR_DAMAGED;
}

leat_result pack_chunk_decode(const leat_pack_chunk_record *record, const void *packed, void *raw)
{
    return pack_chunk_decode_prefix(record, packed, raw, record->raw_size);
}

leat_result pack_chunk_decode_prefix(const leat_pack_chunk_record *record, const void *packed, void *raw, uint32_t size)
{
    ASSERT(size > 0 && size <= record->raw_size);
    if (pack_chunk_check(record, packed) != LEAT_OK) {
        return LEAT_ERROR_DAMAGED;
    }
    if (record->codec == LEAT_PACK_CODEC_STORED) {
        memcpy(raw, packed, size);
        return LEAT_OK;
    }
    /* Both sizes were checked to be at most LEAT_PACK_CHUNK_RAW_MAX, so that they fit an int. */
    int packed_size = (int)record->packed_size, wanted = (int)size;
    int got = size == record->raw_size ? LZ4_decompress_safe(packed, raw, packed_size, wanted)
                                       : LZ4_decompress_safe_partial(packed, raw, packed_size, wanted, wanted);
    return got == wanted ? LEAT_OK : LEAT_ERROR_DAMAGED;
}
