/* sim_device.h - when a simulated device completes a read. Pure: time is handed in, chance comes from a seed.
 *
 * The device has channels that serve one read each. A read waits for the channel that is free first, pays its latency
 * there (and a seek, if it does not follow the last read), and then its share of the bandwidth, which all channels have
 * together: the transfers go one after the other over one bus. */
#ifndef LEAT_SIM_DEVICE_H
#define LEAT_SIM_DEVICE_H

#include "base.h"

#include <leat/sim.h>

#define SIM_CHANNEL_COUNT_MAX 64u

typedef struct sim_device {
    leat_sim_desc desc;
    uint64_t random;
    uint64_t channels[SIM_CHANNEL_COUNT_MAX]; /* when each is free */
    uint64_t bus_free_ns;
    uint64_t begin_ns; /* of the device's life: its first read */
    bool begun, serial;
    uint64_t last_end; /* of the last read, for seeks */
    leat_sim_counts *counts; /* the caller's, or: */
    leat_sim_counts own_counts;
} sim_device;

/* Zeros in desc become the defaults that leat/sim.h documents. The device must not be moved. */
void sim_device_init(sim_device *device, const leat_sim_desc *desc);
/* The time at which a read of `size` bytes at `place` (file and offset in one number) completes, if it is issued now.
 */
uint64_t sim_device_due_ns(sim_device *device, uint64_t place, uint64_t size, uint64_t now_ns);
/* True once: the time has come from which on the device serves one read at a time; what is under way is to be asked for
 * again. */
bool sim_device_becomes_serial(sim_device *device, uint64_t now_ns);
/* The next number of the device's generator; and whether something with this rate happens now. */
uint64_t sim_device_draw(sim_device *device);
bool sim_device_happens(sim_device *device, uint32_t rate_per_mille);

#endif
