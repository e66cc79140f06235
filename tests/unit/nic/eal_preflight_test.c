/* SPDX-License-Identifier: Apache-2.0 */
/* What is told before DPDK starts, over a directory that stands for /: no root, no device. */
#include "fake_root.h"
#include "base/bytes.h"
#include "nic/eal_nodes.h"

struct fixture {
	struct fake_root root;
	struct eal_options options;
	char text[EAL_TEXT_BYTES];
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	fake_root_make(&f->root, "preflight");
	eal_options_init(&f->options);
	f->options.root = f->root.path;
	f->options.hugepages = false;
	f->options.memory_mib = 64;
	fake_root_put(&f->root, "/proc/self/status", "Name:\tx\nCapEff:\t000001ffffffffff\n");
	fake_root_put(&f->root, "/proc/self/cgroup", "0::/user\n");
	fake_root_put(&f->root, "/proc/net/protocols", "protocol size\nUDP 1472\nXDP 1024\n");
	fake_root_put(&f->root, "/sys/class/net/veth0/flags", "0x1003\n");
	fake_root_put(&f->root, "/sys/class/net/veth0/mtu", "1500\n");
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	fake_root_remove(&f->root);
	free(f);
	return 0;
}

static void
use_driver(struct fixture *f, const char *driver, const char *argument)
{
	f->options.port_count = 1;
	f->options.ports[0].driver = port_driver_find(driver);
	assert_non_null(f->options.ports[0].driver);
	snprintf(f->options.ports[0].argument, sizeof(f->options.ports[0].argument), "%s", argument);
}

/* One finding, which has cause and fix. */
static void
expect(struct fixture *f, const char *cause, const char *fix)
{
	uint32_t n = eal_preflight(&f->options, f->text, sizeof(f->text));
	char *mark = strstr(f->text, " fix: ");

	if (n != 1) {
		print_message("%u findings: %s\n", n, f->text);
	}
	assert_int_equal(n, 1);
	assert_non_null(strstr(f->text, cause));
	assert_non_null(mark);
	assert_non_null(strstr(mark, fix));
}

/* Drivers that are not installed here have findings besides. */
static void
expect_among(struct fixture *f, const char *cause)
{
	(void)eal_preflight(&f->options, f->text, sizeof(f->text));
	assert_non_null(strstr(f->text, cause));
}

static void
expect_not(struct fixture *f, const char *cause)
{
	(void)eal_preflight(&f->options, f->text, sizeof(f->text));
	assert_null(strstr(f->text, cause));
}

static void
a_link_that_is_up_and_free_passes(void **state)
{
	struct fixture *f = *state;

	use_driver(f, "af_packet", "net_af_packet0,iface=veth0");
	assert_int_equal(eal_preflight(&f->options, f->text, sizeof(f->text)), 0);
	assert_string_equal(f->text, "");
}

static void
missing_hugepages_are_counted(void **state)
{
	struct fixture *f = *state;

	f->options.hugepages = true;
	fake_root_put(&f->root, "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "31\n");
	expect(f, "31 of 2048 KiB are free on NUMA node 0, 32 are needed for 64 MiB", "hugepages apply 64");
	assert_false(eal_hugepages_free(&f->options, 2048));
	fake_root_put(&f->root, "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "32\n");
	assert_int_equal(eal_preflight(&f->options, f->text, sizeof(f->text)), 0);
	assert_true(eal_hugepages_free(&f->options, 2048));
	assert_false(eal_hugepages_free(&f->options, 1048576));
}

/* --- a machine of two nodes, CPUs 0-3 and 4-7, each with so many free pages of 2 MiB ----------------- */

static void
two_nodes(struct fixture *f, const char *pages0, const char *pages1)
{
	fake_root_put(&f->root, "/sys/devices/system/node/node0/cpulist", "0-3\n");
	fake_root_put(&f->root, "/sys/devices/system/node/node1/cpulist", "4,5-7\n");
	fake_root_put(&f->root, "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages", pages0);
	fake_root_put(&f->root, "/sys/devices/system/node/node1/hugepages/hugepages-2048kB/free_hugepages", pages1);
	/* What the two have together, which is not what counts. */
	fake_root_put(&f->root, "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "1000\n");
	f->options.hugepages = true;
	f->options.main_cpu = 0;
}

/* A NIC of node 1 with pools of 100 MiB, its lanes on these CPUs. */
static void
use_nic_of_node_1(struct fixture *f, uint16_t cpu0, uint16_t cpu1)
{
	char path[256];

	fake_root_put(&f->root, "/sys/bus/pci/devices/0000:41:00.0/numa_node", "1\n");
	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/0000:41:00.0/driver", f->root.path);
	(void)symlink("../drivers/vfio-pci", path);
	use_driver(f, "i40e", "0000:41:00.0,x=1");
	f->options.ports[0].pool_bytes = 100 * MIB;
	f->options.ports[0].cpu_count = 2;
	f->options.ports[0].cpus[0] = cpu0;
	f->options.ports[0].cpus[1] = cpu1;
}

static void
each_node_gives_what_its_ports_need(void **state)
{
	struct fixture *f = *state;
	struct eal_arguments arguments;

	two_nodes(f, "16\n", "69\n");
	use_nic_of_node_1(f, 4, 7);
	eal_nodes_plan(&f->options);
	assert_int_equal(f->options.main_node, 0);
	assert_int_equal(f->options.node_mib[0], 32);
	assert_int_equal(f->options.node_mib[1], 105 + 32);
	assert_int_equal(f->options.memory_mib, 32 + 105 + 32);
	assert_int_equal(eal_preflight(&f->options, f->text, sizeof(f->text)), 0);
	assert_true(eal_hugepages_free(&f->options, 2048));
	assert_int_equal(eal_arguments(&f->options, &arguments, f->text, sizeof(f->text)), 0);
	assert_string_equal(arguments.values[2], "--socket-mem=32,137");
	two_nodes(f, "500\n", "68\n");
	expect(f, "68 of 2048 KiB are free on NUMA node 1, 69 are needed for 137 MiB", "hugepagesz=2M hugepages=1:69");
	assert_false(eal_hugepages_free(&f->options, 2048));
	two_nodes(f, "15\n", "500\n");
	expect(f, "15 of 2048 KiB are free on NUMA node 0, 16 are needed for 32 MiB", "hugepages apply 32");
}

static void
virtual_ports_take_memory_from_the_main_lcores_node(void **state)
{
	struct fixture *f = *state;
	struct eal_arguments arguments;

	two_nodes(f, "0\n", "69\n");
	use_driver(f, "memif", "net_memif0");
	f->options.ports[0].pool_bytes = 100 * MIB;
	f->options.main_cpu = 5;
	eal_nodes_plan(&f->options);
	assert_int_equal(f->options.main_node, 1);
	assert_int_equal(f->options.node_mib[0], 0);
	assert_int_equal(f->options.node_mib[1], 137);
	assert_true(eal_hugepages_free(&f->options, 2048));
	assert_int_equal(eal_arguments(&f->options, &arguments, f->text, sizeof(f->text)), 0);
	assert_string_equal(arguments.values[2], "-m");
	assert_string_equal(arguments.values[3], "137");
}

static void
a_port_on_another_node_than_its_lanes_cpus_is_a_failure(void **state)
{
	struct fixture *f = *state;

	two_nodes(f, "100\n", "100\n");
	use_nic_of_node_1(f, 5, 2);
	eal_nodes_plan(&f->options);
	f->options.numa_strict = true;
	expect(f, "0000:41:00.0 is on NUMA node 1, CPU 2 of its rx lcores on node 0", "lcores.rx of the CPUs 4,5-7");
	f->options.ports[0].cpus[1] = 7;
	assert_int_equal(eal_preflight(&f->options, f->text, sizeof(f->text)), 0);
	f->options.ports[0].cpus[1] = 2;
	f->options.numa_strict = false;
	assert_int_equal(eal_preflight(&f->options, f->text, sizeof(f->text)), 0);
	assert_int_equal(eal_nodes_astray(&f->options, f->text, sizeof(f->text)), 1);
	assert_non_null(strstr(f->text, "CPU 2 of its rx lcores on node 0"));
}

static void
a_kernel_interface_has_its_devices_node(void **state)
{
	struct fixture *f = *state;

	two_nodes(f, "100\n", "100\n");
	use_driver(f, "af_xdp", "net_af_xdp0,iface=veth0");
	f->options.ports[0].cpu_count = 1;
	f->options.ports[0].cpus[0] = 6;
	f->options.numa_strict = true;
	assert_int_equal(eal_preflight(&f->options, f->text, sizeof(f->text)), 0);
	fake_root_put(&f->root, "/sys/class/net/veth0/device/numa_node", "0\n");
	expect(f, "is on NUMA node 0, CPU 6 of its rx lcores on node 1", "lcores.rx of the CPUs 0-3");
}

/* Firmware that does not know says -1; a kernel without NUMA shows no nodes. */
static void
what_nobody_knows_is_no_failure(void **state)
{
	struct fixture *f = *state;

	f->options.numa_strict = true;
	f->options.hugepages = true;
	fake_root_put(&f->root, "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "69\n");
	use_nic_of_node_1(f, 0, 9);
	fake_root_put(&f->root, "/sys/bus/pci/devices/0000:41:00.0/numa_node", "-1\n");
	eal_nodes_plan(&f->options);
	assert_int_equal(f->options.node_mib[0], 137);
	assert_int_equal(eal_nodes_of_cpu(f->root.path, 9), 0);
	assert_int_equal(eal_preflight(&f->options, f->text, sizeof(f->text)), 0);
	two_nodes(f, "69\n", "0\n");
	assert_int_equal(eal_nodes_of_cpu(f->root.path, 9), -1);
	assert_int_equal(eal_preflight(&f->options, f->text, sizeof(f->text)), 0);
}

static void
a_cgroup_limit_below_the_need_is_told(void **state)
{
	struct fixture *f = *state;

	f->options.hugepages = true;
	fake_root_put(&f->root, "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "32\n");
	fake_root_put(&f->root, "/sys/fs/cgroup/user/hugetlb.2MB.max", "33554432\n");
	expect(f, "may use 32 MiB of them, 64 are needed", "raise /sys/fs/cgroup/user/hugetlb.2MB.max");
}

static void
an_interface_that_is_not_there_is_named(void **state)
{
	struct fixture *f = *state;

	use_driver(f, "af_packet", "net_af_packet0,iface=veth9");
	expect(f, "there is no interface veth9", "ip -br link");
}

static void
an_interface_that_is_down_gets_the_command(void **state)
{
	struct fixture *f = *state;

	fake_root_put(&f->root, "/sys/class/net/veth0/flags", "0x1002\n");
	use_driver(f, "af_packet", "net_af_packet0,iface=veth0");
	expect(f, "veth0 is down", "ip link set dev veth0 up");
}

static void
an_interface_with_a_route_is_refused(void **state)
{
	struct fixture *f = *state;

	fake_root_put(&f->root, "/proc/net/route", "Iface\tDestination\nveth0\t000200C0\n");
	use_driver(f, "af_packet", "net_af_packet0,iface=veth0");
	expect(f, "veth0 is in use by the kernel", "ip addr flush dev veth0");
}

static void
an_interface_with_a_global_address_is_refused(void **state)
{
	struct fixture *f = *state;

	fake_root_put(&f->root, "/proc/net/if_inet6",
		"fe800000000000000000000000000001 02 40 20 80    veth0\n");
	use_driver(f, "af_packet", "net_af_packet0,iface=veth0");
	assert_int_equal(eal_preflight(&f->options, f->text, sizeof(f->text)), 0);
	fake_root_put(&f->root, "/proc/net/if_inet6",
		"20010db8000000000000000000000001 02 40 00 80    veth0\n");
	expect(f, "veth0 is in use by the kernel", "ip addr flush dev veth0");
	/* With a filter of its own the kernel may keep it. */
	use_driver(f, "af_xdp", "net_af_xdp0,iface=veth0,xdp_prog=lanes.o");
	assert_int_equal(eal_preflight(&f->options, f->text, sizeof(f->text)), 0);
}

static void
a_filter_that_passes_on_other_ports_is_told(void **state)
{
	struct fixture *f = *state;

	fake_root_put(&f->root, "/x/lanes.o", "\177ELF...penstock-lanes=9292+16\n");
	use_driver(f, "af_xdp", "net_af_xdp0,iface=veth0,xdp_prog=/x/lanes.o");
	f->options.ports[0].udp_port_first = 9292;
	f->options.ports[0].udp_port_count = 16;
	assert_int_equal(eal_preflight(&f->options, f->text, sizeof(f->text)), 0);
	f->options.ports[0].udp_port_count = 17;
	expect(f, "passes on UDP ports 9292 to 9307, the lanes listen on 9292 to 9308", "-DLANE_PORT_FIRST=9292");
	f->options.ports[0].udp_port_first = 9291;
	f->options.ports[0].udp_port_count = 1;
	expect(f, "the lanes listen on 9291 to 9291", "native.port: 9292");
	/* Of somebody else's program nothing is known. */
	fake_root_put(&f->root, "/x/lanes.o", "\177ELF...\n");
	assert_int_equal(eal_preflight(&f->options, f->text, sizeof(f->text)), 0);
}

static void
af_xdp_refuses_a_link_longer_than_its_chunks(void **state)
{
	struct fixture *f = *state;

	fake_root_put(&f->root, "/sys/class/net/veth0/mtu", "9000\n");
	use_driver(f, "af_xdp", "net_af_xdp0,iface=veth0");
	expect(f, "the MTU of veth0 is 9000", "ip link set dev veth0 mtu 3520");
}

static void
missing_privileges_are_named(void **state)
{
	struct fixture *f = *state;

	fake_root_put(&f->root, "/proc/self/status", "CapEff:\t0000000000000000\n");
	use_driver(f, "af_packet", "net_af_packet0,iface=veth0");
	expect(f, "needs CAP_NET_RAW", "run as root");
	use_driver(f, "af_xdp", "net_af_xdp0,iface=veth0");
	f->options.memory_mib = 1u << 30; /* more than any limit of memlock that is one */
	assert_true(eal_preflight(&f->options, f->text, sizeof(f->text)) >= 2);
	assert_non_null(strstr(f->text, "needs CAP_NET_ADMIN and CAP_BPF"));
}

static void
a_kernel_without_af_xdp_is_told(void **state)
{
	struct fixture *f = *state;

	use_driver(f, "af_xdp", "net_af_xdp0,iface=veth0");
	assert_int_equal(eal_preflight(&f->options, f->text, sizeof(f->text)), 0);
	fake_root_put(&f->root, "/proc/net/protocols", "protocol size\nUDP 1472\nXDPX 1024\n");
	expect(f, "this kernel has no AF_XDP sockets", "CONFIG_XDP_SOCKETS=y");
	use_driver(f, "af_packet", "net_af_packet0,iface=veth0");
	assert_int_equal(eal_preflight(&f->options, f->text, sizeof(f->text)), 0);
}

static void
a_driver_that_is_not_installed_names_its_package(void **state)
{
	static struct port_driver_guess guess;
	struct fixture *f = *state;

	assert_int_equal(port_driver_guess("net_none_such7", true, &guess), 0);
	f->options.port_count = 1;
	f->options.ports[0].driver = &guess.driver;
	expect(f, "librte_net_none_such7.so.23 is missing", "apt-get install librte-net-none-such7-23");
}

static void
a_pci_device_must_be_there_and_bound(void **state)
{
	struct fixture *f = *state;
	char path[256];

	f->options.hugepages = true;
	fake_root_put(&f->root, "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "32\n");
	use_driver(f, "i40e", "0000:41:00.0");
	expect(f, "there is no PCI device 0000:41:00.0", "dpdk-devbind.py --status");
	fake_root_put(&f->root, "/sys/bus/pci/devices/0000:41:00.0/vendor", "0x8086\n");
	expect(f, "0000:41:00.0 is bound to none", "dpdk-devbind.py -b vfio-pci 0000:41:00.0");
	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/0000:41:00.0/driver", f->root.path);
	assert_int_equal(symlink("../drivers/vfio-pci", path), 0);
	assert_int_equal(eal_preflight(&f->options, f->text, sizeof(f->text)), 0);
	f->options.hugepages = false;
	expect(f, "a PCI device needs hugepages", "memory.hugepage_size: auto");
}

/* mlx5 stays with the kernel, which must not use it where every packet becomes ours. */
static void
a_management_interface_is_refused_behind_pci_too(void **state)
{
	struct fixture *f = *state;

	fake_root_put(&f->root, "/sys/bus/pci/devices/0000:41:00.0/net/veth0/flags", "0x1003\n");
	fake_root_put(&f->root, "/proc/net/route", "Iface\tDestination\nveth1\t000200C0\n");
	use_driver(f, "mlx5", "0000:41:00.0,mprq_en=0");
	f->options.ports[0].own_net = true;
	expect_not(f, "in use by the kernel");
	fake_root_put(&f->root, "/proc/net/route", "Iface\tDestination\nveth0\t000200C0\n");
	expect_among(f, "veth0 is in use by the kernel");
	f->options.ports[0].own_net = false;
	expect_not(f, "in use by the kernel");
}

static void
only_a_device_without_an_iommu_needs_physical_addresses(void **state)
{
	struct fixture *f = *state;

	use_driver(f, "i40e", "0000:41:00.0,x=1");
	assert_false(eal_needs_iova_pa(&f->options));
	fake_root_put(&f->root, "/sys/bus/pci/devices/0000:41:00.0/iommu_group/name", "group\n");
	assert_false(eal_needs_iova_pa(&f->options));
	fake_root_put(&f->root, "/sys/bus/pci/devices/0000:41:00.0/iommu_group/name", "vfio-noiommu\n");
	assert_true(eal_needs_iova_pa(&f->options));
	f->options.ports[1] = f->options.ports[0];
	f->options.port_count = 2;
	snprintf(f->options.ports[0].argument, sizeof(f->options.ports[0].argument), "0000:42:00.0");
	assert_true(eal_needs_iova_pa(&f->options));
	use_driver(f, "memif", "net_memif0");
	assert_false(eal_needs_iova_pa(&f->options));
}

static void
arguments_hold_what_the_options_say(void **state)
{
	struct fixture *f = *state;
	struct eal_arguments arguments;
	char all[2048] = "";

	use_driver(f, "memif", "net_memif0,role=client,zero-copy=yes");
	f->options.main_cpu = 3;
	f->options.extra[f->options.extra_count++] = "--no-telemetry";
	assert_int_equal(eal_arguments(&f->options, &arguments, f->text, sizeof(f->text)), 0);
	for (int i = 0; i < arguments.count; i++) {
		size_t len = strlen(all);

		snprintf(all + len, sizeof(all) - len, "%s ", arguments.values[i]);
	}
	assert_string_equal(all,
		"penstockd --no-huge --no-shconf -m 64 --lcores 0@3 --iova-mode=va --file-prefix=penstock "
		"--log-level=lib.eal:warning --log-level=pmd.*:warning "
		"--vdev=net_memif0,role=client,zero-copy=yes --single-file-segments --no-pci --no-telemetry ");
	f->options.extra[0] = "no-dash";
	assert_int_equal(eal_arguments(&f->options, &arguments, f->text, sizeof(f->text)), -22);
	assert_non_null(strstr(f->text, "no-dash"));
}

static void
a_memif_file_that_is_no_socket_is_named(void **state)
{
	struct fixture *f = *state;

	use_driver(f, "memif", "net_memif0,role=server,id=0,socket=/run/m.sock,socket-abstract=no");
	assert_int_equal(eal_preflight(&f->options, f->text, sizeof(f->text)), 0);
	fake_root_put(&f->root, "/run/m.sock", "precious\n");
	expect(f, "/run/m.sock is there and no socket", "rm /run/m.sock");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_link_that_is_up_and_free_passes),
		CASE(missing_hugepages_are_counted),
		CASE(each_node_gives_what_its_ports_need),
		CASE(virtual_ports_take_memory_from_the_main_lcores_node),
		CASE(a_port_on_another_node_than_its_lanes_cpus_is_a_failure),
		CASE(a_kernel_interface_has_its_devices_node),
		CASE(what_nobody_knows_is_no_failure),
		CASE(a_cgroup_limit_below_the_need_is_told),
		CASE(an_interface_that_is_not_there_is_named),
		CASE(an_interface_that_is_down_gets_the_command),
		CASE(an_interface_with_a_route_is_refused),
		CASE(an_interface_with_a_global_address_is_refused),
		CASE(a_filter_that_passes_on_other_ports_is_told),
		CASE(af_xdp_refuses_a_link_longer_than_its_chunks),
		CASE(missing_privileges_are_named),
		CASE(a_kernel_without_af_xdp_is_told),
		CASE(a_driver_that_is_not_installed_names_its_package),
		CASE(a_memif_file_that_is_no_socket_is_named),
		CASE(a_pci_device_must_be_there_and_bound),
		CASE(a_management_interface_is_refused_behind_pci_too),
		CASE(only_a_device_without_an_iommu_needs_physical_addresses),
		CASE(arguments_hold_what_the_options_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
