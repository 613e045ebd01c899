/* reload.h - what becomes of content that changes on disk while it is shown.
 *
 * A texture whose picture has changed, and nothing else, is dropped and streamed again where it hangs. Anything more (a
 * texture of another size, a mesh, a material, something that came or went) changes the catalogue, and with it the
 * halls: the main loop then builds the museum anew. Measures, for what is in view, the time from the change of the file
 * to the end of the first frame that shows it. */
#ifndef VIEW_RELOAD_H
#define VIEW_RELOAD_H

#include "report.h"
#include "stream.h"

typedef struct reload {
    stream *s;
    const leat_pack *packs;
    const char *const *paths; /* of the packs */
    uint32_t pack_count;
    report_series *redrawn_ms;
    uint64_t *changed_ns; /* by item: when its file changed, on the clock of frames; 0: is shown as it is */
    uint32_t waiting_count; /* items with changed_ns */
    uint32_t reload_count; /* RELOADED events that concerned something in the museum */
    bool rebuild; /* the museum has to be built anew */
} reload;

bool reload_create(stream *s, const leat_pack *packs, const char *const *paths, uint32_t pack_count,
                   report_series *redrawn_ms, reload *r);
void reload_destroy(reload *r);

/* A RELOADED event. */
void reload_take(reload *r, const leat_event *event);
/* The frame is on the screen (or would be): notes what of the changes it shows. */
void reload_frame_end(reload *r);

#endif
