/* doctor.c - `leat doctor [PATH]`: probes, then report. See doctor.h. */
#include "doctor.h"
#include "commands.h"
#include "output.h"

#include <stdio.h>

int command_doctor(const options *o)
{
    doctor_facts f;
    leat_error error = { 0 };
    const char *path = o->argument_count > 0 ? o->arguments[0] : ".";
    doctor_probe_machine(&f.machine); /* first: the next one raises the limit that it notes */
    doctor_probe_uring(&f.uring);
    if (!doctor_probe_path(path, f.uring.setup.error == 0, &f.path, &error)) {
        message_print("%s", error.text);
        return EXIT_FAILED;
    }
    doctor_probe_leat(&f.path, &f.leat);
    doctor_print(&f, o->json);
    char why[512];
    doctor_verdict verdict = doctor_judge(&f, why, sizeof(why));
    doctor_path_close(&f.path);
    return verdict == DOCTOR_FAST ? EXIT_OK : verdict >= DOCTOR_BROKEN ? EXIT_FAILED : EXIT_PARTLY;
}
