/* sim_device.c - see sim_device.h. */
#include "sim_device.h"

#include <string.h>

#define SPIKE_FACTOR 50u
#define LATENCY_NS_DEFAULT (80 * NS_PER_US)
#define BYTES_PER_SECOND_DEFAULT UINT64_C(3500000000)
#define CHANNEL_COUNT_DEFAULT 8u

leat_sim_desc leat_sim_preset(const char *name)
{
    static const struct {
        const char *name;
        leat_sim_desc desc;
    } presets[] = {
        { "sd", { .latency_ns = 5000000, .bytes_per_second = 20000000, .channel_count = 1 } },
        { "hdd",
          { .latency_ns = 500000,
            .bytes_per_second = 160000000,
            .channel_count = 1,
            .seek_ns = 8000000,
            .jitter_per_mille = 500 } },
        { "sata",
          { .latency_ns = 100000, .bytes_per_second = 500000000, .channel_count = 4, .jitter_per_mille = 100 } },
        { "nvme",
          { .latency_ns = 80000, .bytes_per_second = 3500000000, .channel_count = 8, .jitter_per_mille = 100 } },
        { "nvme7",
          { .latency_ns = 80000, .bytes_per_second = 7000000000, .channel_count = 16, .jitter_per_mille = 100 } },
        { "stall", { .stall_at_ns = 1000000000, .stall_ns = 2000000000, .jitter_per_mille = 100 } },
        { "halve", { .halve_at_ns = 1000000000, .jitter_per_mille = 100 } },
    };
    for (size_t i = 0; i < COUNT_OF(presets); ++i) {
        if (strcmp(presets[i].name, name) == 0) {
            return presets[i].desc;
        }
    }
    return (leat_sim_desc){ 0 };
}

uint64_t sim_device_draw(sim_device *device)
{
    uint64_t z = (device->random += UINT64_C(0x9e3779b97f4a7c15)); /* SplitMix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

bool sim_device_happens(sim_device *device, uint32_t rate_per_mille)
{
    return sim_device_draw(device) % 1000 < rate_per_mille;
}

void sim_device_init(sim_device *device, const leat_sim_desc *desc)
{
    *device = (sim_device){ .desc = *desc, .random = desc->seed };
    device->counts = desc->counts != NULL ? desc->counts : &device->own_counts;
    leat_sim_desc *d = &device->desc;
    d->latency_ns = d->latency_ns == 0 ? LATENCY_NS_DEFAULT : d->latency_ns;
    d->bytes_per_second = d->bytes_per_second == 0 ? BYTES_PER_SECOND_DEFAULT : d->bytes_per_second;
    d->channel_count = d->channel_count == 0 ? CHANNEL_COUNT_DEFAULT : u32_min(d->channel_count, SIM_CHANNEL_COUNT_MAX);
}

/* Nothing happens during the stall: what would begin or end within it does so after it. */
static uint64_t after_stall(const sim_device *device, uint64_t time_ns)
{
    uint64_t begin_ns = device->begin_ns + device->desc.stall_at_ns;
    bool stalled = device->desc.stall_at_ns != 0 && time_ns >= begin_ns && time_ns < begin_ns + device->desc.stall_ns;
    return stalled ? begin_ns + device->desc.stall_ns : time_ns;
}

static uint64_t transfer_ns(sim_device *device, uint64_t size, uint64_t at_ns)
{
    uint64_t rate = device->desc.bytes_per_second;
    if (device->desc.halve_at_ns != 0 && at_ns >= device->begin_ns + device->desc.halve_at_ns) {
        rate = u64_max(rate / 2, 1);
        ++device->counts->halved;
    }
    return size * NS_PER_S / rate;
}

uint64_t sim_device_due_ns(sim_device *device, uint64_t place, uint64_t size, uint64_t now_ns)
{
    const leat_sim_desc *d = &device->desc;
    if (!device->begun) {
        device->begun = true;
        device->begin_ns = now_ns;
    }
    uint32_t channel = 0;
    for (uint32_t i = 1; i < d->channel_count; ++i) {
        channel = device->channels[i] < device->channels[channel] ? i : channel;
    }
    uint64_t latency_ns = d->latency_ns;
    uint64_t jitter =
        sim_device_draw(device) % 1001; /* drawn in any case: the sequence must not depend on the settings */
    latency_ns += latency_ns * d->jitter_per_mille / 1000 * jitter / 1000;
    if (sim_device_happens(device, d->spike_rate)) {
        latency_ns *= SPIKE_FACTOR;
        ++device->counts->spikes;
    }
    latency_ns += place == device->last_end ? 0 : d->seek_ns;
    device->last_end = place + size;
    uint64_t begin_ns = after_stall(device, u64_max(now_ns, device->channels[channel]));
    uint64_t bus_ns = after_stall(device, u64_max(begin_ns + latency_ns, device->bus_free_ns));
    uint64_t end_ns = bus_ns + transfer_ns(device, size, bus_ns);
    uint64_t due_ns = after_stall(device, end_ns);
    device->counts->stalled += begin_ns > u64_max(now_ns, device->channels[channel]) || due_ns > end_ns;
    device->bus_free_ns = due_ns;
    device->channels[channel] = due_ns;
    return due_ns;
}

bool sim_device_becomes_serial(sim_device *device, uint64_t now_ns)
{
    uint64_t at_ns = device->desc.serial_at_ns;
    if (at_ns == 0 || device->serial || !device->begun || now_ns < device->begin_ns + at_ns) {
        return false;
    }
    device->serial = true;
    device->desc.channel_count = 1;
    device->channels[0] = device->bus_free_ns = now_ns;
    return true;
}
