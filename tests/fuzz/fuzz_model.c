/* fuzz_model.c - what comes of a model file, without Assimp: OBJ, glTF and the rest are read in processes of their own.
 *
 * Input: one byte of kind. WIRE: the bytes that such a process sends, which may have gone wild: refused, or a result
 * that goes over the wire once more unchanged. SOUP: any triangles through mesh_build: refused in words, or a mesh that
 * the reader accepts and whose indices stay below its vertices. */
#include "fuzz.h"
#include "fuzz_pack.h"
#include "wire.h"
#include "mesh_build.h"

#define VERTICES_MAX 600u
#define SUBMESHES_MAX 8u

/* ---- The wire ---- */

static void check_wire(const uint8_t *bytes, size_t size)
{
    import_result first, second;
    bool good, good_again;
    if (!import_unpack(bytes, size, &first, &good)) {
        FUZZ_CHECK(first.asset_count == 0 && first.assets == NULL && first.messages == NULL,
                   "a refusal leaves something");
        return;
    }
    size_t packed_size = 0;
    uint8_t *packed = import_pack(&first, good, &packed_size);
    FUZZ_CHECK(import_unpack(packed, packed_size, &second, &good_again), "what was understood is not any more");
    FUZZ_CHECK(good == good_again && first.asset_count == second.asset_count &&
                   first.image_count == second.image_count && first.usage_count == second.usage_count &&
                   first.message_count == second.message_count && first.lookup_count == second.lookup_count,
               "the wire loses something");
    for (uint32_t i = 0; i < first.asset_count; ++i) {
        const import_asset *a = &first.assets[i], *b = &second.assets[i];
        FUZZ_CHECK(strcmp(a->name, b->name) == 0 && a->type == b->type && a->raw_size == b->raw_size &&
                       memcmp(a->raw, b->raw, a->raw_size) == 0,
                   "the wire changes an asset");
    }
    free(packed);
    import_result_free(&first);
    import_result_free(&second);
}

/* ---- Triangles ---- */

static void check_indices(const import_asset *a)
{
    const leat_pack_mesh_metadata *m = a->metadata;
    const leat_pack_lod_record *lods = (const void *)(m + 1);
    for (uint32_t i = 0; i < m->lod_count; ++i) {
        const leat_pack_lod_record *l = &lods[i];
        const uint8_t *at = a->raw + l->raw_offset + (uint64_t)l->vertex_count * m->vertex_stride;
        for (uint32_t k = 0; k < l->index_count; ++k) {
            uint32_t index = 0;
            memcpy(&index, at + (uint64_t)k * m->index_size, m->index_size);
            FUZZ_CHECK(index < l->vertex_first + l->vertex_count, "an index beyond the vertices");
        }
    }
}

/* Few different positions make triangles that share vertices; any bits make the floats that artists do not send. */
static void take_vertex(fuzz_bytes *b, bool wild, leat_vertex *v)
{
    *v = (leat_vertex){ .color = { 255, 255, 255, 255 } };
    for (uint32_t axis = 0; axis < 3; ++axis) {
        if (wild) {
            uint32_t bits = (uint32_t)fuzz_take(b, 4);
            memcpy(&v->position[axis], &bits, sizeof(bits));
            /* the import keeps what is not below 1e18 away from here */
            v->position[axis] = v->position[axis] > -1e18f && v->position[axis] < 1e18f ? v->position[axis] : 0;
        } else {
            v->position[axis] = (float)(int8_t)fuzz_take(b, 1);
        }
    }
    v->uv[0] = (float)fuzz_take(b, 1);
    v->normal[1] = 32767;
}

static void check_soup(fuzz_bytes *b)
{
    leat_vertex vertices[VERTICES_MAX];
    uint32_t ends[SUBMESHES_MAX], materials[SUBMESHES_MAX];
    mesh_soup soup = { .vertices = vertices, .submesh_ends = ends, .materials = materials };
    uint32_t flags = (uint32_t)fuzz_take(b, 1);
    soup.flags = flags & 7;
    uint32_t submesh_count = 1 + (flags >> 3) % SUBMESHES_MAX;
    for (uint32_t i = 0; i < submesh_count && b->left > 0; ++i) {
        uint32_t wanted = 3 * (1 + (uint32_t)fuzz_take(b, 1) % 64);
        for (uint32_t k = 0; k < wanted && soup.vertex_count < VERTICES_MAX; ++k) {
            take_vertex(b, (flags & 0x80) != 0, &vertices[soup.vertex_count++]);
        }
        ends[soup.submesh_count] = soup.vertex_count;
        materials[soup.submesh_count++] = soup.material_count++;
    }
    if (soup.vertex_count == 0) {
        return;
    }
    import_asset asset = { 0 };
    const char *why = NULL;
    if (mesh_build(&soup, &asset, &why)) {
        FUZZ_CHECK(fuzz_pack_accepts(LEAT_ASSET_MESH, asset.metadata, asset.metadata_size, asset.raw_size),
                   "the reader refuses it");
        check_indices(&asset);
    } else {
        FUZZ_CHECK(why != NULL, "refused without a word");
    }
    import_asset_free(&asset);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_bytes b = { .at = bytes, .left = size };
    if (fuzz_take(&b, 1) % 2 == 0) {
        check_wire(b.at, b.left);
    } else {
        check_soup(&b);
    }
    return 0;
}
