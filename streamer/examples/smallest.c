/* smallest.c - opens a pack, reads one asset, prints its size.
 *
 *     smallest PACK [ASSET]
 *
 * Without a name it takes the first asset of the pack that has bytes: materials have none. */
#include <leat/leat.h>

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: smallest PACK [ASSET]\n");
        return 2;
    }
    leat_streamer *s = NULL;
    leat_pack pack;
    if (leat_create(NULL, &s) != LEAT_OK || leat_pack_open(s, argv[1], NULL, &pack) != LEAT_OK) {
        leat_destroy(s); /* Leat has said why, on stderr */
        return 1;
    }
    leat_asset asset =
        argc > 2 ? leat_asset_find(s, leat_name_hash(argv[2], strlen(argv[2]))) : leat_asset_at(s, pack, 0);
    leat_asset_info info;
    for (uint32_t i = 1; argc == 2 && leat_asset_info_get(s, asset, &info) == LEAT_OK && info.size == 0; ++i) {
        asset = leat_asset_at(s, pack, i);
    }
    int status = 1;
    leat_result result =
        asset.index == 0 ? LEAT_ERROR_NOT_FOUND : leat_read(s, &(leat_read_desc){ .asset = asset }, NULL);
    if (result != LEAT_OK) {
        fprintf(stderr, "%s: %s\n", argc > 2 ? argv[2] : "its first asset", leat_result_text(result));
    } else {
        leat_events events = leat_wait(s, UINT64_MAX);
        char text[512];
        printf("%s\n", leat_event_text(s, &events.items[0], text, sizeof(text)));
        status = events.items[0].type == LEAT_EVENT_READY ? 0 : 1;
    }
    leat_destroy(s);
    return status;
}
