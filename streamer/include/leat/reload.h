/* clang-format off */ /* columns are kept by hand, and a declaration stands in one line */
/* leat/reload.h - content that changes while the game runs: folders of loose files, packs that are watched or swapped.
 * Included by leat/leat.h.
 *
 * FOLDERS. leat_pack_open mounts a folder as it is, for development: each regular file in it and in its subfolders is an asset,
 * with its path from the folder on as name and the same requests and events as in a pack. Files are opened, read and closed
 * for each read (in pieces of leat_desc.read_bytes_max), so that none is kept open. What a file is:
 *  - LEAT_ASSET_TEXTURE, if it is a DDS file in a format of leat_format, with the mips that it has, and stored so that nothing
 *    must be converted. Its bytes are its texels in Leat's order, as if it were packed, without the header. Files that do not
 *    tell sRGB from linear are taken for sRGB; for the rest of what the packer finds out, it has to be packed.
 *  - LEAT_ASSET_BLOB otherwise: the bytes of the file.
 * Names that packs cannot have, devices, sockets, links that lead out of the folder and links to folders are left out, and
 * their number is logged in one line; names that begin with a dot are left out silently. content_hash stands for a version of
 * the file (device, inode, size, time of change), not for its bytes.
 * A READY holds bytes of the version that was listed, never a mixture: a file that was changed, replaced or removed since ends
 * as FAILED with CHANGED or NOT_FOUND, and its RELOADED event comes when the change is noticed, by watching or by
 * leat_pack_swap with a NULL path. While a file is being written for long, that may happen more than once.
 *
 * WATCHING (leat_pack_desc.watch). A folder is listed again some 10 to 50 ms after the last of a burst of changes, by a thread
 * of Leat's that sleeps otherwise; a pack is swapped when a new file is renamed over it. If watching cannot be had (limits of
 * inotify), one line is logged and leat_pack_swap does it by hand; leat_pack_info.watched tells. A folder that is itself
 * removed or renamed keeps its last list until something else has its path (a folder built anew, a link set to another):
 * that is listed then.
 */
#ifndef LEAT_PUBLIC_RELOAD_H
#define LEAT_PUBLIC_RELOAD_H

#include <leat/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Replaces the content of an open pack by that of the file or folder at `path` (NULL: the pack's own path, which may have a new
 * file under it; a folder is listed again), while anything may be in flight. The handle of the pack stays; so do handles of
 * assets, by name. What is watched is from now on the new path. error may be NULL. Any thread; blocks while it reads the index.
 *
 * Requests that were submitted before end with the content that they were submitted to, from the old file, which is closed
 * after the last of them; new ones get the new content. Each asset whose bytes, type, metadata or references differ, or that
 * came or went, is announced by LEAT_EVENT_RELOADED; others are not, whatever moved.
 *
 * A file that cannot be opened or does not check out is refused, and the old content stays. Write new packs to another name and
 * rename them over the old one, as `leat pack` does: a file that is overwritten in place changes under the requests in flight,
 * which then end as DAMAGED.
 *
 * Errors: as leat_pack_open; STALE; FULL while 16 replaced versions are still in use by requests or wait for leat_update. */
LEAT_API LEAT_CHECK leat_result leat_pack_swap(leat_streamer *streamer, leat_pack pack, const char *path, leat_error *error);

/* What LEAT_EVENT_RELOADED says of an asset. */
typedef enum leat_change {
    LEAT_CHANGE_NONE = 0,
    LEAT_CHANGE_CHANGED = 1, /* other bytes, type, metadata or references: ask and read again */
    LEAT_CHANGE_ADDED = 2,   /* there was no asset of this name in this pack (or it had vanished) */
    LEAT_CHANGE_REMOVED = 3  /* the handle answers NOT_FOUND, until an asset of this name is added again */
} leat_change;

#ifdef __cplusplus
}
#endif

#endif
