/* SPDX-License-Identifier: Apache-2.0 */
/* Progress on stderr, and the clock of the program: the CLI is no stage, it may ask the kernel. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/bytes.h"
#include "base/clock.h"
#include "ctrl/cli/cli.h"

#define BAR_CELLS 28

uint64_t
cli_now_ns(void)
{
	return clock_now_ns(clock_system());
}

void
cli_sleep_ms(uint32_t ms)
{
	clock_sleep_ns(clock_system(), ms * NS_PER_MS);
}

void
progress_begin(struct progress *p, const struct cli *cli, const char *what, uint64_t total)
{
	const char *terminal = getenv("TERM");
	bool moves = isatty(STDERR_FILENO) == 1 && terminal && strcmp(terminal, "dumb") != 0;

	*p = (struct progress){.on = !cli->quiet && !cli->no_progress, .tty = moves, .what = what, .total = total, .start_ns = cli_now_ns()};
}

/* On a terminal the line is drawn over the one before, and must not wrap: the next could not reach it. */
static void
put(const struct progress *p, const char *line)
{
	uint32_t width = output_width(STDERR_FILENO);
	size_t len = strlen(line);

	if (!p->tty) {
		fprintf(stderr, "%s\n", line);
		return;
	}
	len = width > 1 && len > width - 1 ? width - 1 : len;
	fprintf(stderr, "\r%.*s\033[K", (int)len, line);
}

static void
draw(const struct progress *p, uint64_t done, uint64_t now_ns)
{
	double seconds = (double)(now_ns - p->start_ns + 1) / (double)NS_PER_S;
	double rate = (double)done / seconds;
	char bar[BAR_CELLS + 1];
	char count[32];
	char line[192];
	uint32_t filled;

	output_count(done, count, sizeof(count));
	if (p->total == 0) {
		snprintf(line, sizeof(line), "%s %s records  %.0f/s", p->what, count, rate);
		put(p, line);
		return;
	}
	filled = (uint32_t)(done * BAR_CELLS / p->total);
	memset(bar, '.', BAR_CELLS);
	memset(bar, '#', filled > BAR_CELLS ? BAR_CELLS : filled);
	bar[BAR_CELLS] = '\0';
	snprintf(line, sizeof(line), "%s [%s] %3" PRIu64 " %%  %s  %.0f/s  eta %.0f s", p->what, bar,
		done * 100 / p->total, count, rate, rate > 0 ? (double)(p->total - done) / rate : 0.0);
	put(p, line);
}

void
progress_update(struct progress *p, uint64_t done)
{
	uint64_t now_ns = cli_now_ns();
	uint32_t tenths = p->total ? (uint32_t)(done * 10 / p->total) : 0;

	if (!p->on) {
		return;
	}
	if (p->tty ? now_ns - p->drawn_ns < 100 * NS_PER_MS :
		     tenths == p->shown_tenths && now_ns - p->drawn_ns < 10 * NS_PER_S) {
		return;
	}
	if (!p->tty && p->drawn_ns == 0 && tenths == 0) {
		p->drawn_ns = now_ns;
		return;
	}
	p->drawn_ns = now_ns;
	p->shown_tenths = tenths;
	draw(p, done, now_ns);
}

void
progress_end(struct progress *p, uint64_t done)
{
	if (p->on && (p->tty || p->shown_tenths < 10)) { /* not the last line twice */
		if (p->total) {
			p->total = done > p->total ? done : p->total;
		}
		draw(p, done, cli_now_ns());
		if (p->tty) {
			fputc('\n', stderr);
		}
	}
}
