/* bytes.h - little-endian numbers at offsets. */
#ifndef SIM_KDTARGET_BYTES_H
#define SIM_KDTARGET_BYTES_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t get(const uint8_t *p, size_t bytes)
{
	uint64_t value = 0;

	for (size_t i = bytes; i-- > 0;)
		value = value << 8 | p[i];
	return value;
}

static inline void put(uint8_t *p, size_t bytes, uint64_t value)
{
	for (size_t i = 0; i < bytes; i++)
		p[i] = (uint8_t)(value >> 8 * i);
}

static inline uint16_t get16(const uint8_t *p)
{
	return (uint16_t)get(p, 2);
}

static inline uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get(p, 4);
}

static inline uint64_t get64(const uint8_t *p)
{
	return get(p, 8);
}

#endif
