/* fuzz_metadata.c - any bytes as the metadata of a texture, mesh or material, up to what an engine sizes its uploads
 * by.
 *
 * Input: type, raw size (four bytes), a part that is asked for (kind, first, count, offset, size), metadata. The pack
 * is opened by a streamer, and what the public calls say of it must add up: mips and LODs tile the asset, rows tile a
 * mip, submeshes lie in their LOD, parts lie in the asset. */
#include "fuzz.h"
#include "fuzz_pack.h"

#include <sys/mman.h>
#include <unistd.h>

static void quiet(leat_log_level level, const char *text, void *user)
{
    (void)level;
    (void)text;
    (void)user;
}

/* One for the whole run: opening and closing packs leaves nothing in it. */
static leat_streamer *streamer(void)
{
    static leat_streamer *s;
    leat_desc desc = { .backend = LEAT_BACKEND_SIM,
                       .stepped = true,
                       .memory_bytes_max = MIB(8),
                       .request_count_max = 16,
                       .pack_count_max = 2,
                       .logger = { .log = quiet } };
    if (s == NULL && leat_create(&desc, &s) != LEAT_OK) {
        abort();
    }
    return s;
}

static leat_result open_pack(const fuzz_pack *pack, leat_pack *handle)
{
    static int fd = -1;
    char path[64];
    if (fd < 0) {
        fd = memfd_create("leat-fuzz", MFD_CLOEXEC);
    }
    const leat_pack_header *h = &pack->header;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (fd < 0 || ftruncate(fd, (off_t)h->file_size) != 0 || pwrite(fd, h, sizeof(*h), 0) != (ssize_t)sizeof(*h) ||
        pwrite(fd, pack->index, h->index_size, (off_t)h->index_offset) != (ssize_t)h->index_size) {
        abort();
    }
    return leat_pack_open(streamer(), path, NULL, handle);
}

static void check_part(leat_asset asset, const leat_part *part, uint64_t asset_size)
{
    uint64_t offset, size;
    if (leat_asset_part(streamer(), asset, part, &offset, &size) == LEAT_OK) {
        FUZZ_CHECK(offset <= asset_size && size <= asset_size - offset, "a part lies outside of its asset");
    }
}

static void check_texture(leat_asset asset, uint64_t asset_size)
{
    leat_texture_info info;
    FUZZ_CHECK(leat_asset_texture(streamer(), asset, &info) == LEAT_OK, "a texture is none");
    uint32_t edge = leat_format_block_edge(info.format);
    uint64_t sum = 0;
    FUZZ_CHECK(info.mip_count > 0 && edge > 0, "a texture without mips or format");
    for (uint32_t mip = info.mip_count; mip-- > 0;) {
        leat_mip_info m;
        FUZZ_CHECK(leat_texture_mip(&info, mip, &m), "a mip is not there");
        uint64_t rows = ((uint64_t)m.height + edge - 1) / edge;
        FUZZ_CHECK(m.offset == sum, "mips do not follow each other");
        FUZZ_CHECK(m.size == (uint64_t)m.row_size * rows * info.layer_count, "rows do not tile a mip");
        sum += m.size;
        uint64_t offset, size;
        leat_part part = { .kind = LEAT_PART_MIPS, .first = mip, .count = 1 };
        FUZZ_CHECK(leat_asset_part(streamer(), asset, &part, &offset, &size) == LEAT_OK && offset == m.offset &&
                       size == m.size,
                   "part and mip differ");
    }
    FUZZ_CHECK(sum == asset_size, "mips do not tile the texture");
    leat_mip_info beyond;
    FUZZ_CHECK(!leat_texture_mip(&info, info.mip_count, &beyond), "a mip too many");
}

static void check_lod(leat_asset asset, const leat_mesh_info *mesh, uint32_t lod, const leat_lod_info *l)
{
    FUZZ_CHECK((uint64_t)l->vertex_first + l->vertex_count <= mesh->vertex_count, "vertices beyond the buffer");
    FUZZ_CHECK((uint64_t)l->index_first + l->index_count <= mesh->index_count, "indices beyond the buffer");
    FUZZ_CHECK((uint64_t)l->vertex_count * mesh->vertex_stride + (uint64_t)l->index_count * mesh->index_size <= l->size,
               "a LOD does not fit its bytes");
    for (uint32_t i = 0; i < mesh->submesh_count; ++i) {
        leat_submesh_info s;
        FUZZ_CHECK(leat_asset_submesh(streamer(), asset, lod, i, &s) == LEAT_OK, "a submesh is not there");
        FUZZ_CHECK(s.index_first >= l->index_first && s.index_first - l->index_first <= l->index_count &&
                       s.index_count <= l->index_count - (s.index_first - l->index_first),
                   "a submesh lies outside of its LOD");
        FUZZ_CHECK(s.material < u32_max(mesh->material_count, 1), "a material slot that there is not");
    }
}

static void check_mesh(leat_asset asset, uint64_t asset_size)
{
    leat_mesh_info mesh;
    FUZZ_CHECK(leat_asset_mesh(streamer(), asset, &mesh) == LEAT_OK, "a mesh is none");
    uint64_t sum = 0;
    for (uint32_t lod = mesh.lod_count; lod-- > 0;) {
        leat_lod_info l;
        FUZZ_CHECK(leat_asset_lod(streamer(), asset, lod, &l) == LEAT_OK, "a LOD is not there");
        FUZZ_CHECK(l.offset == sum, "LODs do not follow each other");
        sum += l.size;
        check_lod(asset, &mesh, lod, &l);
    }
    leat_lod_info beyond;
    FUZZ_CHECK(sum == asset_size, "LODs do not tile the mesh");
    FUZZ_CHECK(leat_asset_lod(streamer(), asset, mesh.lod_count, &beyond) == LEAT_ERROR_ARGUMENT, "a LOD too many");
}

static void check_asset(leat_pack pack, const leat_part *part)
{
    leat_asset asset = leat_asset_find(streamer(), LEAT_NAME("a"));
    leat_asset_info info;
    leat_material_info material;
    FUZZ_CHECK(asset.index == leat_asset_at(streamer(), pack, 0).index && asset.index != 0, "the asset is not found");
    FUZZ_CHECK(leat_asset_info_get(streamer(), asset, &info) == LEAT_OK, "the asset has no info");
    check_part(asset, part, info.size);
    if (info.type == LEAT_ASSET_TEXTURE) {
        check_texture(asset, info.size);
    } else if (info.type == LEAT_ASSET_MESH) {
        check_mesh(asset, info.size);
    } else if (info.type == LEAT_ASSET_MATERIAL) {
        FUZZ_CHECK(leat_asset_material(streamer(), asset, &material) == LEAT_OK, "a material is none");
    }
}

/* The pure view of a texture takes what a caller made up as well. */
static void check_made_up(const uint8_t *bytes, size_t size)
{
    leat_texture_info info = { 0 };
    leat_mip_info mip;
    memcpy(&info, bytes, size < sizeof(info) ? size : sizeof(info));
    for (uint32_t i = 0; i < 33; ++i) {
        (void)leat_texture_mip(&info, i, &mip);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_bytes b = { .at = bytes, .left = size };
    uint32_t type = (uint32_t)fuzz_take(&b, 1);
    uint64_t raw_size = fuzz_take(&b, 4);
    leat_part part = { .kind = (leat_part_kind)(fuzz_take(&b, 1) % 5) };
    part.first = (uint32_t)fuzz_take(&b, 1);
    part.count = (uint32_t)fuzz_take(&b, 1);
    part.offset = fuzz_take(&b, 4);
    part.size = fuzz_take(&b, 4);
    fuzz_pack pack;
    leat_pack handle;
    check_made_up(b.at, b.left);
    if (!fuzz_pack_make(type, b.at, b.left, raw_size, &pack)) {
        return 0;
    }
    leat_result result = open_pack(&pack, &handle);
    FUZZ_CHECK(result == LEAT_OK || result == LEAT_ERROR_FORMAT, "neither opened nor refused for its format");
    if (result == LEAT_OK) {
        check_asset(handle, &part);
        FUZZ_CHECK(leat_pack_close(streamer(), handle) == LEAT_OK, "an open pack cannot be closed");
        leat_update(streamer(), NULL); /* frees the slot */
    }
    fuzz_pack_free(&pack);
    return 0;
}
