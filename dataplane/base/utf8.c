/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

size_t
utf8_step(const uint8_t *bytes, size_t len)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t step;
	uint32_t c;

	if (len == 0 || bytes[0] == 0) {
		return 0;
	}
	if (bytes[0] < 0x80) {
		return 1;
	}
	step = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
	if (bytes[0] < 0xc2 || bytes[0] > 0xf4 || step > len) {
		return 0;
	}
	c = bytes[0] & (0xffu >> (step + 1));
	for (size_t i = 1; i < step; i++) {
		if ((bytes[i] & 0xc0) != 0x80) {
			return 0;
		}
		c = c << 6 | (bytes[i] & 0x3f);
	}
	return c < least[step] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : step;
}

bool
utf8_valid(const uint8_t *bytes, size_t len)
{
	for (size_t at = 0; at < len;) {
		size_t step = utf8_step(bytes + at, len - at);

		if (step == 0) {
			return false;
		}
		at += step;
	}
	return true;
}
