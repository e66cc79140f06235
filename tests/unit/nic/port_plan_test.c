/* SPDX-License-Identifier: Apache-2.0 */
/* Pool arithmetic and devargs: the worked example, the measured element sizes, every refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "base/bytes.h"
#include "nic/port_plan.h"

static char text[1024];

static struct port_plan_in
start(const char *driver)
{
	struct port_plan_in in;

	port_plan_init(&in);
	in.driver = port_driver_find(driver);
	assert_non_null(in.driver);
	return in;
}

static void
the_worked_example(void **state)
{
	struct port_plan_in in = start("memif");
	struct port_plan plan;

	assert_int_equal(port_plan(&in, &plan, text, sizeof(text)), 0);
	assert_int_equal(plan.pool_need, 5951);
	assert_int_equal(plan.pool_count, 8191);
	assert_int_equal(plan.park_max, 2047);
	assert_int_equal(plan.data_room, 2176);
	assert_int_equal(plan.element_bytes, 2368);
	/* 885 elements a 2 MiB page: 10 pages, and what a pool costs besides. */
	assert_int_equal(plan.pool_bytes, 10 * 2 * MIB + 192 + 128 * 8256 + 384 + 8 * 8192);
	assert_int_equal(plan.control_count, 1023);
	assert_non_null(strstr(text, "5951  needed, the pool has 8191 of 2368 B"));
	assert_non_null(strstr(text, "1024  ports[].rx_desc"));
}

static void
element_sizes_are_the_measured_ones(void **state)
{
	struct port_plan_in in = start("memif");
	struct port_plan plan;

	in.mtu = 9000;
	in.devargs = "role=server,bsize=9216";
	assert_int_equal(port_plan(&in, &plan, text, sizeof(text)), 0);
	assert_int_equal(plan.data_room, 9344);
	assert_int_equal(plan.element_bytes, 9536);
	in = start("memif");
	in.devargs = "bsize=4096";
	assert_int_equal(port_plan(&in, &plan, text, sizeof(text)), 0);
	assert_int_equal(plan.data_room, 4224);
	assert_int_equal(plan.element_bytes, 4416);
}

static void
af_xdp_pays_for_its_fill_ring(void **state)
{
	struct port_plan_in in = start("af_xdp");
	struct port_plan plan;

	assert_int_equal(port_plan(&in, &plan, text, sizeof(text)), 0);
	assert_int_equal(plan.driver_extra, 2048);
	assert_int_equal(plan.pool_need, 5951 + 2048);
	in.mtu = 3520;
	assert_int_equal(port_plan(&in, &plan, text, sizeof(text)), 0);
	assert_int_equal(plan.data_room, 4096 - 64 - 128);
	assert_int_equal(plan.element_bytes, 4096);
	assert_true(plan.exact_elements);
	assert_true(plan.element_bytes <= 4096);
	in.mtu = 3521;
	assert_int_equal(port_plan(&in, &plan, text, sizeof(text)), -EINVAL);
}

static void
zero_copy_memif_pays_for_its_ring(void **state)
{
	struct port_plan_in in = start("memif");
	struct port_plan plan;

	in.devargs = "role=client,zero-copy=yes,rsize=9";
	assert_int_equal(port_plan(&in, &plan, text, sizeof(text)), 0);
	assert_int_equal(plan.driver_extra, 512);
	in.devargs = "role=client,zero-copy=no";
	assert_int_equal(port_plan(&in, &plan, text, sizeof(text)), 0);
	assert_int_equal(plan.driver_extra, 0);
}

static void
without_hugepages_a_page_holds_one(void **state)
{
	struct port_plan_in in = start("af_packet");
	struct port_plan plan;

	in.page_bytes = 4096;
	assert_int_equal(port_plan(&in, &plan, text, sizeof(text)), 0);
	assert_int_equal(plan.pool_bytes, 8191ull * 4096 + 192 + 128 * 8256 + 384 + 8 * 8192);
	in.lanes = 3;
	assert_int_equal(port_plan(&in, &plan, text, sizeof(text)), 0);
	assert_int_equal(plan.total_bytes, 3 * (plan.pool_bytes + plan.control_bytes));
}

static void
what_does_not_hold_is_refused(void **state)
{
	struct port_plan_in in = start("memif");
	struct port_plan plan;

	in.pool_count = 4095;
	assert_int_equal(port_plan(&in, &plan, text, sizeof(text)), -EINVAL);
	assert_non_null(strstr(text, "needed, the pool has 4095"));
	in.pool_count = 8192; /* no 2^k - 1 */
	assert_int_equal(port_plan(&in, &plan, text, sizeof(text)), -EINVAL);
	in.pool_count = 8191;
	assert_int_equal(port_plan(&in, &plan, text, sizeof(text)), 0);
	in = start("memif");
	in.append_slots = 63;
	assert_int_equal(port_plan(&in, &plan, text, sizeof(text)), -EINVAL);
	assert_non_null(strstr(text, "dataplane.ring_size"));
	in = start("memif");
	in.mtu = 9000;
	assert_int_equal(port_plan(&in, &plan, text, sizeof(text)), -EINVAL);
	assert_non_null(strstr(text, "bsize"));
	in = start("af_packet");
	in.mtu = 9000;
	assert_int_equal(port_plan(&in, &plan, text, sizeof(text)), -EINVAL);
	assert_non_null(strstr(text, "1500"));
}

static void
memory_has_five_percent_and_a_base(void **state)
{
	assert_int_equal(port_plan_memory_mib(100 * MIB, 0), 105 + 32);
	assert_int_equal(port_plan_memory_mib(0, 1), 1 + 32);
}

static void
devargs_get_their_defaults(void **state)
{
	char argument[PORT_DEVARGS_MAX];
	struct port_devargs_in in = {
		.driver = port_driver_find("af_xdp"), .index = 3, .devargs = "iface=ps0", .queues = 2};

	assert_int_equal(port_devargs(&in, argument, text, sizeof(text)), 0);
	assert_string_equal(argument, "net_af_xdp3,iface=ps0,busy_budget=64,queue_count=2");
	in.devargs = "iface=ps0,busy_budget=16,queue_count=1";
	assert_int_equal(port_devargs(&in, argument, text, sizeof(text)), 0);
	assert_string_equal(argument, "net_af_xdp3,iface=ps0,busy_budget=16,queue_count=1");
	in = (struct port_devargs_in){.driver = port_driver_find("af_packet"), .devargs = "iface=ps0",
		.queues = 1};
	assert_int_equal(port_devargs(&in, argument, text, sizeof(text)), 0);
	assert_string_equal(argument,
		"net_af_packet0,iface=ps0,blocksz=16384,framesz=2048,framecnt=4096,qdisc_bypass=1,qpairs=1");
	in = (struct port_devargs_in){.driver = port_driver_find("mlx5"), .pci = "0000:41:00.0"};
	assert_int_equal(port_devargs(&in, argument, text, sizeof(text)), 0);
	assert_string_equal(argument, "0000:41:00.0,mprq_en=0");
	in = (struct port_devargs_in){.driver = port_driver_find("tap"), .index = 1};
	assert_int_equal(port_devargs(&in, argument, text, sizeof(text)), 0);
	assert_string_equal(argument, "net_tap1");
}

static void
devargs_that_could_hurt_are_refused(void **state)
{
	char argument[PORT_DEVARGS_MAX], big[600];
	struct port_devargs_in in = {.driver = port_driver_find("memif"), .queues = 1};
	static const char *const bad[] = {"role=server id=0", "role=server;x", "a=\"b\"", "a\nb", "a=$(b)"};

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		in.devargs = bad[i];
		assert_int_equal(port_devargs(&in, argument, text, sizeof(text)), -EINVAL);
	}
	memset(big, 'a', sizeof(big));
	big[599] = 0;
	in.devargs = big;
	assert_int_equal(port_devargs(&in, argument, text, sizeof(text)), -EINVAL);
	in.devargs = NULL;
	in.pci = "0000:41:00.0";
	assert_int_equal(port_devargs(&in, argument, text, sizeof(text)), -EINVAL);
	in = (struct port_devargs_in){.driver = port_driver_find("mlx5")};
	assert_int_equal(port_devargs(&in, argument, text, sizeof(text)), -EINVAL);
	in = (struct port_devargs_in){.driver = port_driver_find("af_xdp"), .devargs = "myiface=x"};
	assert_int_equal(port_devargs(&in, argument, text, sizeof(text)), -EINVAL);
}

static void
devarg_values(void **state)
{
	char value[8];

	assert_int_equal(port_devarg_number("a=1,bsize=2048", "bsize", 7), 2048);
	assert_int_equal(port_devarg_number("xbsize=2048", "bsize", 7), 7);
	assert_int_equal(port_devarg_number(NULL, "bsize", 7), 7);
	assert_true(port_devarg_text("iface=ps0,x=1", "iface", value, sizeof(value)));
	assert_string_equal(value, "ps0");
	assert_false(port_devarg_text("iface=toolongname", "iface", value, sizeof(value)));
}

static void
a_driver_that_waits_for_slots_gets_half_of_them(void **state)
{
	const struct port_driver *waits = port_driver_find("af_packet");

	assert_int_equal(port_tx_budget(waits, NULL), 2048);
	assert_int_equal(port_tx_budget(waits, "iface=ps0,blocksz=4096"), 2048);
	assert_int_equal(port_tx_budget(waits, "iface=ps0,framecnt=64,qpairs=2"), 32);
	assert_int_equal(port_tx_budget(waits, "framecnt=65"), 32);
	assert_int_equal(port_tx_budget(waits, "framecnt=1"), 1);
	assert_int_equal(port_tx_budget(waits, "framecnt=0"), 1);
	assert_int_equal(port_tx_budget(port_driver_find("memif"), "framecnt=64"), UINT32_MAX);
}

/* Every default that a rule of ours reads stands in the row itself. */
static void
keys_of_rings_have_defaults(void **state)
{
	const struct port_driver *rows;
	uint32_t n = port_driver_all(&rows);

	for (uint32_t i = 0; i < n; i++) {
		if (rows[i].tx_slots_key) {
			assert_true(port_devarg_number(rows[i].defaults, rows[i].tx_slots_key, 0) > 0);
		}
	}
}

static void
drivers_by_either_name(void **state)
{
	assert_ptr_equal(port_driver_find("memif"), port_driver_find("net_memif"));
	assert_null(port_driver_find("memi"));
	assert_string_equal(port_driver_find("mlx5")->package, "librte-net-mlx5-23");
	assert_string_equal(port_driver_find("af_xdp")->package, "librte-net-af-xdp23");
	assert_false(port_driver_find("af_packet")->counts_losses);
	assert_int_equal(port_driver_find("af_xdp")->idle_rx_every, 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_worked_example),
		cmocka_unit_test(element_sizes_are_the_measured_ones),
		cmocka_unit_test(af_xdp_pays_for_its_fill_ring),
		cmocka_unit_test(zero_copy_memif_pays_for_its_ring),
		cmocka_unit_test(without_hugepages_a_page_holds_one),
		cmocka_unit_test(what_does_not_hold_is_refused),
		cmocka_unit_test(memory_has_five_percent_and_a_base),
		cmocka_unit_test(devargs_get_their_defaults),
		cmocka_unit_test(devargs_that_could_hurt_are_refused),
		cmocka_unit_test(devarg_values),
		cmocka_unit_test(a_driver_that_waits_for_slots_gets_half_of_them),
		cmocka_unit_test(keys_of_rings_have_defaults),
		cmocka_unit_test(drivers_by_either_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
