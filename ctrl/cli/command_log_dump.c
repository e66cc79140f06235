/* SPDX-License-Identifier: Apache-2.0 */
/* `penstock log dump PATH ...`: files of the log without the daemon. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "ctrl/cli/cli.h"
#include "ctrl/cli/dump.h"
#include "ctrl/schema/value.h"

static const char help[] =
	"usage: penstock log dump FILE|PARTITION_DIR ... [--deep] [--max-bytes N] [--quiet] [-o json]\n\n"
	"  Reads .log .index .timeindex .seal .snapshot .producers without the daemon and checks them:\n"
	"  lengths, offsets, CRCs, indexes and seal against the log. Of a running daemon's files read\n"
	"  no more than the durable position of `penstock partition describe`: --max-bytes.\n\n"
	"  --deep         records too\n"
	"  --max-bytes N  stop in each .log at the first batch from there on (64KiB, 1MiB ...)\n"
	"  exit: 0 all right, 2 damaged, 3 cannot be read\n";

enum {
	OPTION_DEEP = 256,
	OPTION_MAX_BYTES,
	OPTION_HELP,
};

static const struct option options[] = {
	{"deep", no_argument, NULL, OPTION_DEEP},
	{"records", no_argument, NULL, OPTION_DEEP},
	{"max-bytes", required_argument, NULL, OPTION_MAX_BYTES},
	{"help", no_argument, NULL, OPTION_HELP},
	{NULL, 0, NULL, 0},
};

static int
dump_one(struct dump *dump, const char *path)
{
	struct stat info;
	char why[300];
	int64_t rc = stat(path, &info) != 0 ? -errno :
		     S_ISDIR(info.st_mode)  ? dump_directory(dump, path) :
					      dump_path(dump, path);

	if (rc == -ENOTSUP) {
		return cli_error(CLI_USAGE, "the name does not tell a kind of file that log dump knows", path,
			"penstock log dump --help");
	}
	if (rc < 0) {
		snprintf(why, sizeof(why), "%s: %s", path, strerror((int)-rc));
		return cli_error(CLI_CHECK_NOT_MADE, "the file or directory cannot be read", why,
			"name a partition's directory: DATA/TOPIC-PARTITION; penstock sys get tells DATA (data_dir)");
	}
	if (rc == 0 && S_ISDIR(info.st_mode)) {
		return cli_error(CLI_CHECK_NOT_MADE, "no segment in this directory", path,
			"name a partition's directory: DATA/TOPIC-PARTITION");
	}
	return 0;
}

int
log_main(const struct cli *cli, int argc, char **argv)
{
	struct dump dump = {.out = stdout, .json = cli->output != CLI_TEXT, .quiet = cli->quiet};
	int option;
	int err = 0;

	if (argc >= 2 && strcmp(argv[1], "--help") == 0) {
		fputs(help, stdout);
		return CLI_OK;
	}
	if (argc < 2 || strcmp(argv[1], "dump") != 0) {
		return cli_command_error("log dump", "penstock log has one verb, dump%s%s",
			argc < 2 ? "" : "; not ", argc < 2 ? "" : argv[1]);
	}
	optind = 1;
	opterr = 0;
	while ((option = getopt_long(argc - 1, argv + 1, "", options, NULL)) != -1) {
		if (option == OPTION_DEEP) {
			dump.deep = true;
		} else if (option == OPTION_HELP) {
			fputs(help, stdout);
			return CLI_OK;
		} else if (option != OPTION_MAX_BYTES ||
			   value_parse_bytes(optarg, &dump.max_bytes) != 0 || dump.max_bytes == 0) {
			return cli_command_error("log dump", "log dump: --deep, --max-bytes N (like 64KiB)");
		}
	}
	if (optind >= argc - 1) {
		return cli_command_error("log dump", "log dump: which file or partition directory?");
	}
	dump_begin(&dump);
	for (int i = optind; i < argc - 1 && err == 0; i++) {
		dump.end_offset = -1;
		err = dump_one(&dump, argv[i + 1]);
	}
	if (err != CLI_CHECK_NOT_MADE && err != CLI_USAGE) {
		dump_end(&dump);
	}
	return err ? err : dump.damages ? CLI_CHECK_FAILED : CLI_OK;
}
