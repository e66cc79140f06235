/* SPDX-License-Identifier: Apache-2.0 */
/* Which library takes a PCI device, from files that look like DPDK's. */
#include <errno.h>
#include "fake_root.h"
#include "nic/port_pci.h"

#define DEVICE "/sys/bus/pci/devices/0000:41:00.0"

struct fixture {
	struct fake_root root;
	char name[PORT_DRIVER_NAME_MAX + 8];
	char text[64];
};

static int
setup(void **state)
{
	/* Two strings in one library, one without ids, as virtio has them. */
	static const char virtio[] =
		"\177ELF\0PMD_INFO_STRING= {\"name\": \"net_virtio_user\", \"pci_ids\": []}\0x\0"
		"PMD_INFO_STRING= {\"name\": \"net_virtio\", \"kmod\": \"* vfio-pci\", \"pci_ids\": "
		"[[6900, 4096, 65535, 65535], [6900, 4161, 65535, 65535]]}\0";
	static const char cut[] = "\177ELF\0PMD_INFO_STRING= {\"pci_ids\": [[32902, 5507, 655";
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	fake_root_make(&f->root, "port-pci");
	fake_root_put_bytes(&f->root, "/pmds/librte_net_virtio.so.23", virtio, sizeof(virtio));
	fake_root_put_bytes(&f->root, "/pmds/librte_net_cut.so.23", cut, sizeof(cut) - 1);
	fake_root_put_bytes(&f->root, "/pmds/librte_net_empty.so.23", "", 0);
	fake_root_put_bytes(&f->root, "/pmds/librte_crypto_virtio.so.23", virtio, sizeof(virtio));
	fake_root_put_bytes(&f->root, "/pmds/librte_net_other.so", virtio, sizeof(virtio));
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

static int
find(struct fixture *f, const char *vendor, const char *device)
{
	char folder[128];

	fake_root_put(&f->root, DEVICE "/vendor", vendor);
	fake_root_put(&f->root, DEVICE "/device", device);
	snprintf(folder, sizeof(folder), "%s/pmds", f->root.path);
	return port_pci_driver(f->root.path, folder, "0000:41:00.0", f->name, f->text, sizeof(f->text));
}

static void
the_library_that_lists_the_ids_is_found(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(find(f, "0x1af4\n", "0x1041\n"), 0);
	assert_string_equal(f->name, "net_virtio");
}

static void
ids_that_no_library_lists_are_told(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(find(f, "0x1af4\n", "0x1045\n"), -ENOENT);
	assert_string_equal(f->text, "1af4:1045");
	/* A vendor of one row and a device of another do not make a match. */
	assert_int_equal(find(f, "0xffff\n", "0x1041\n"), -ENOENT);
}

static void
a_list_that_is_cut_ends_the_search(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(find(f, "0x8086\n", "0x1583\n"), 0);
	assert_string_equal(f->name, "net_cut");
	assert_int_equal(find(f, "0x8086\n", "0x1584\n"), -ENOENT);
}

static void
a_device_that_is_not_there(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(port_pci_driver(f->root.path, f->root.path, "0000:42:00.0", f->name, f->text,
				 sizeof(f->text)),
		-ENODEV);
	assert_string_equal(f->text, "there is no PCI device 0000:42:00.0");
}

static void
the_address_is_split_from_its_options(void **state)
{
	char address[PORT_PCI_ADDRESS_MAX + 1];
	const char *rest;

	(void)state;
	assert_true(port_pci_split("0000:41:00.0,mprq_en=1", address, &rest));
	assert_string_equal(address, "0000:41:00.0");
	assert_string_equal(rest, "mprq_en=1");
	assert_true(port_pci_split("0:3b:0.1", address, &rest));
	assert_string_equal(address, "0000:3b:00.1");
	assert_string_equal(rest, "");
	assert_false(port_pci_split("eth0", address, &rest));
	assert_false(port_pci_split("0000:41:00", address, &rest));
	assert_false(port_pci_split("0000:41:00.0x", address, &rest));
	assert_false(port_pci_split("", address, &rest));
	assert_false(port_pci_split("-1:41:00.0", address, &rest));
	assert_false(port_pci_split("0x0:41:00.0", address, &rest));
	assert_false(port_pci_split("0000: 1:00.0", address, &rest));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_library_that_lists_the_ids_is_found),
		CASE(ids_that_no_library_lists_are_told),
		CASE(a_list_that_is_cut_ends_the_search),
		CASE(a_device_that_is_not_there),
		CASE(the_address_is_split_from_its_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
