/* cli/podman_flags.h: the arguments of `podman run` */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/podman_flags.h"

#define WORDS_MAX 16

static const struct podman_guard guard = {.folders = {"/home/user/.local/state/terok/shield", "/home/user/.config/terok/shield"}};

/* Cuts at blanks; a word that is only "_" stands for an empty one. */
static size_t words_cut(char *line, char **words)
{
	size_t count = 0;
	char *save = NULL;

	for (char *word = strtok_r(line, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		assert_true(count < WORDS_MAX);
		words[count++] = strcmp(word, "_") == 0 ? (char *)"" : word;
	}
	return count;
}

static int parse(const char *line, struct podman_flags *flags, const char **image, struct error *error)
{
	static char copy[512];
	static char *words[WORDS_MAX];
	size_t count;
	int rc;

	assert_true(strlen(line) < sizeof(copy));
	strcpy(copy, line);
	count = words_cut(copy, words);
	rc = podman_flags_parse(flags, count, words, &guard, error);
	*image = rc ? NULL : words[flags->image];
	return rc;
}

static void every_spelling_leads_to_the_image(void **state)
{
	static const char *const lines[] = {
		"IMAGE",
		"IMAGE --privileged",
		"IMAGE sh -c x --name y --network host",
		"-- IMAGE",
		"-d -- IMAGE --privileged",
		"--rm -it IMAGE sh",
		"-dit IMAGE",
		"-i -t -d IMAGE",
		"-d=false IMAGE",
		"-it=true IMAGE",
		"--detach=true IMAGE",
		"--detach IMAGE",
		"--tty=false --interactive IMAGE",
		"-e FOO=bar IMAGE",
		"-eFOO=bar IMAGE",
		"-e=FOO=bar IMAGE",
		"-e= IMAGE",
		"-ite FOO=bar IMAGE",
		"-itePRIVILEGED IMAGE",
		"-e --privileged IMAGE",
		"--env FOO=--privileged IMAGE",
		"--env=FOO IMAGE",
		"--env _ IMAGE",
		"--label a=b IMAGE",
		"-l a=b -la=b IMAGE",
		"-v data:/data IMAGE",
		"-v/src:/src:ro IMAGE",
		"-v /src:/src -w /src IMAGE",
		"-v=/src:/src IMAGE",
		"--volume /home/user/project:/project IMAGE",
		"--volume=/sys:/host/sys:ro IMAGE",
		"-v /proc:/host/proc:ro,rslave IMAGE",
		"-v /run/user/1000/wayland-0:/tmp/wayland-0 IMAGE",
		"-v /etc/ssl:/etc/ssl:ro IMAGE",
		"-v /anonymous IMAGE",
		"--mount type=bind,src=/src,dst=/src IMAGE",
		"--mount=type=tmpfs,target=/tmp IMAGE",
		"--mount type=volume,source=data,destination=/data IMAGE",
		"--mount type=bind,src=/proc,dst=/host/proc,ro IMAGE",
		"--mount type=bind,src=/sys,dst=/host/sys,readonly=true IMAGE",
		"--secret s,type=env,target=TOKEN --secret s,target=/etc/token --secret s,target=sub/token IMAGE",
		"--tmpfs /tmp IMAGE",
		"--tmpfs=/run:size=1m IMAGE",
		"--cap-add CHOWN IMAGE",
		"--cap-add cap_chown,Setuid IMAGE",
		"--cap-add=SYS_NICE,CAP_IPC_LOCK IMAGE",
		"--privileged=false IMAGE",
		"--privileged=0 --privileged=F IMAGE",
		"--network none IMAGE",
		"--net bridge IMAGE",
		"--network=mynet IMAGE",
		"--network mynet:ip=10.1.2.3,alias=a --network other IMAGE",
		"--network slirp4netns:allow_host_loopback=true IMAGE",
		"--network pasta IMAGE",
		"--network pasta:-t,8080,-T,none IMAGE",
		"--network pasta:--map-host-loopback,169.254.1.2,--tcp-ns,none IMAGE",
		"--network pasta:--mtu,1500 IMAGE",
		"--network-alias db IMAGE",
		"--network _ IMAGE",
		"--pid private IMAGE",
		"--ipc host IMAGE",
		"--uts host IMAGE",
		"--userns keep-id:uid=1000 IMAGE",
		"--userns=auto IMAGE",
		"--userns host IMAGE",
		"--cgroupns=host IMAGE",
		"--annotation a=b IMAGE",
		"--annotation=dossier.task=7 IMAGE",
		"--sysctl net.ipv4.ip_unprivileged_port_start=0 IMAGE",
		"--sysctl net.ipv4.ping_group_range=0 IMAGE",
		"--sysctl net.ipv6.conf.all.disable_ipv6=1 IMAGE",
		"--sysctl kernel.msgmax=1,fs.mqueue.msg_max=2 IMAGE",
		"--device /dev/fuse IMAGE",
		"--device=/dev/net/tun:/dev/net/tun:rwm IMAGE",
		"--device nvidia.com/gpu=all IMAGE",
		"--gpus all IMAGE",
		"--publish-all=false IMAGE",
		"-P=false IMAGE",
		"--restart always IMAGE",
		"--replace IMAGE",
		"--init --read-only --http-proxy=false IMAGE",
		"-m 1g --memory-swap 2g -c 10 IMAGE",
		"-m1g -c10 -u1000:1000 -hbox IMAGE",
		"-h box IMAGE",
		"-a stdin -a stdout IMAGE",
		"-qd IMAGE",
		"--add-host a:1.2.3.4 IMAGE",
		"--ip 10.88.0.5 --mac-address 92:d0:c6:0a:29:33 IMAGE",
		"--health-cmd none --no-healthcheck IMAGE",
		"--healthcheck-command x IMAGE",
		"--log-level debug --root /srv/root --storage-driver vfs IMAGE",
		"--cgroup-manager=cgroupfs --runroot /x --tmpdir /y IMAGE",
		"--syslog --transient-store IMAGE",
		"--env-host --env-file f --label-file g IMAGE",
		"--secret s --group-add keep-groups --ulimit nofile=1:1 IMAGE",
		"--systemd always --stop-signal TERM --timeout 5 IMAGE",
		"--pull never --tls-verify=false --platform linux/arm64 IMAGE",
		"--cidfile c --pidfile p --conmon-pidfile q IMAGE",
		"--rootfs=false IMAGE",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct podman_flags flags;
		struct error error = {0};
		const char *image;

		if (parse(lines[i], &flags, &image, &error))
			fail_msg("%s: %s", lines[i], error.text);
		assert_string_equal(image, "IMAGE");
	}
}

static void what_would_open_the_shield_is_refused_with_its_reason(void **state)
{
	static const struct {
		const char *line;
		const char *text; /* part of the message */
	} cases[] = {
		{"--privileged IMAGE", "privileged"},
		{"--privileged=true IMAGE", "privileged"},
		{"--privileged=yes IMAGE", "privileged"},
		{"--privileged=false --privileged IMAGE", "privileged"},
		{"--cap-add NET_ADMIN IMAGE", "NET_ADMIN"},
		{"--cap-add=net_admin IMAGE", "own rules"},
		{"--cap-add CAP_NET_RAW IMAGE", "own rules"},
		{"--cap-add cap_Sys_Admin IMAGE", "own rules"},
		{"--cap-add CHOWN,NET_ADMIN IMAGE", "own rules"},
		{"--cap-add CHOWN --cap-add all IMAGE", "own rules"},
		{"--cap-add ALL IMAGE", "own rules"},
		{"--cap-add CAP_ALL IMAGE", "own rules"},
		{"--cap-add \"NET_ADMIN\" IMAGE", "own rules"},
		{"--cap-add SYS_MODULE IMAGE", "own rules"},
		{"--cap-add SYS_PTRACE IMAGE", "own rules"},
		{"--cap-add BPF IMAGE", "own rules"},
		{"--cap-add PERFMON IMAGE", "own rules"},
		{"--cap-add DAC_READ_SEARCH IMAGE", "own rules"},
		{"--cap-add CAP_CAP_CHOWN IMAGE", "own rules"},
		{"--cap-add , IMAGE", "own rules"},
		{"--network host IMAGE", "nothing to put a shield around"},
		{"--net host IMAGE", "nothing to put a shield around"},
		{"--net=host IMAGE", "nothing to put a shield around"},
		{"-d --network=mynet,host IMAGE", "nothing to put a shield around"},
		{"--network container: IMAGE", "name is missing"},
		{"--network container IMAGE", "name is missing"},
		{"--network container:abc --network team IMAGE", "beside --network container:"},
		{"--network container:abc -p 80:80 IMAGE", "where the other container is made"},
		{"--pod p --network team IMAGE", "beside --pod"},
		{"--pod p --net=container:abc IMAGE", "beside --pod"},
		{"--pod p -p 80:80 IMAGE", "where the pod is made"},
		{"--pod new:p IMAGE", "podman pod create"},
		{"--pod= IMAGE", "podman pod create"},
		{"--network=ns:/run/netns/x IMAGE", "of the container's own"},
		{"--network pasta:-T,5432 IMAGE", "host's loopback"},
		{"--network pasta:-t,80,-T,auto IMAGE", "host's loopback"},
		{"--network pasta:--tcp-ns,all IMAGE", "host's loopback"},
		{"--network pasta:--tcp-n,all IMAGE", "host's loopback"},
		{"--network pasta:--udp-ns=53 IMAGE", "host's loopback"},
		{"--network pasta:-4T,22 IMAGE", "host's loopback"},
		{"--pid host IMAGE", "process namespace"},
		{"--pid=container:x IMAGE", "process namespace"},
		{"--pid ns:/proc/1/ns/pid IMAGE", "process namespace"},
		{"--userns container:x IMAGE", "user namespace"},
		{"--userns=ns:/x IMAGE", "user namespace"},
		{"-v /run/podman/podman.sock:/s IMAGE", "engine"},
		{"-v/var/run/docker.sock:/var/run/docker.sock IMAGE", "engine"},
		{"-dv /run/docker.sock:/s:ro IMAGE", "engine"},
		{"--volume=/run/user/1000/podman:/p IMAGE", "engine"},
		{"--volume /run/user/1000:/r IMAGE", "services"},
		{"-v /run/user/1000/bus:/b IMAGE", "services"},
		{"-v /:/host IMAGE", "socket"},
		{"-v /:/host:ro IMAGE", "socket"},
		{"-v /run:/host/run IMAGE", "socket"},
		{"-v /home/../run/./podman/:/p IMAGE", "engine"},
		{"-v /run/netns:/n IMAGE", "namespaces"},
		{"-v /proc:/host/proc IMAGE", ":ro"},
		{"-v /proc/sys:/x IMAGE", ":ro"},
		{"-v /sys:/sys:rw IMAGE", ":ro"},
		{"-v /sys:/sys:ro,rw IMAGE", ":ro"},
		{"-v /home/user/.local/state/terok/shield:/s IMAGE", "shield's own files"},
		{"-v /home/user:/home/user IMAGE", "shield's own files"},
		{"-v /home/user/.config/terok/shield/profiles:/p:ro IMAGE", "shield's own files"},
		{"-v /tmp/x:/etc/resolv.conf IMAGE", "resolv.conf"},
		{"-v /tmp/x:/etc IMAGE", "resolv.conf"},
		{"-v data:/etc/../etc/./resolv.conf:ro IMAGE", "resolv.conf"},
		{"-v /etc IMAGE", "resolv.conf"},
		{"--tmpfs /etc IMAGE", "resolv.conf"},
		{"--tmpfs=/etc/:size=1m IMAGE", "resolv.conf"},
		{"--mount type=bind,src=/tmp/x,dst=/etc/resolv.conf IMAGE", "resolv.conf"},
		{"--secret s,target=/etc/resolv.conf IMAGE", "resolv.conf"},
		{"--secret=s,type=mount,uid=1,target=/etc//resolv.conf,mode=0400 IMAGE", "resolv.conf"},
		{"--secret source=s,target=/run/../etc IMAGE", "resolv.conf"},
		{"--secret s,target=../../etc/resolv.conf IMAGE", "resolv.conf"},
		{"--secret s,target=a,target=/etc/resolv.conf IMAGE", "resolv.conf"},
		{"--mount type=bind,source=/run/podman/podman.sock,target=/s IMAGE", "engine"},
		{"--mount type=glob,src=/run/pod*,dst=/s IMAGE", "engine"},
		{"--mount type=bind,\"src=/x\",dst=/s IMAGE", "quotes"},
		{"--mount type=volume,src=v,dst=/v,volume-opt=device=/ IMAGE", "driver"},
		{"--mount type=bind,src=/proc,dst=/p IMAGE", ":ro"},
		{"--device /dev/mem IMAGE", "memory"},
		{"--device=/dev:/dev IMAGE", "memory"},
		{"--device /dev/fuse,/dev/mem IMAGE", "memory"},
		{"--device \"/dev/mem\" IMAGE", "quotes"},
		{"-v /src:/dst:O,upperdir=/run,workdir=/x IMAGE", "overlay"},
		{"--sysctl net.ipv4.ip_forward=1 IMAGE", "routed"},
		{"--sysctl net/ipv4/ip_forward=1 IMAGE", "routed"},
		{"--sysctl kernel.msgmax=1,net.ipv4.conf.all.route_localnet=1 IMAGE", "routed"},
		{"--sysctl net.netfilter.nf_conntrack_max=1 IMAGE", "routed"},
		{"-P IMAGE", "-p"},
		{"-dP IMAGE", "-p"},
		{"--publish-all IMAGE", "-p"},
		{"-p x IMAGE", "CONTAINER"},
		{"--publish 80:0 IMAGE", "CONTAINER"},
		{"--rootfs /srv/root IMAGE", "podman import"},
		{"--volumes-from other IMAGE", "cannot be checked"},
		{"--preserve-fds 1 IMAGE", "descriptor"},
		{"--preserve-fd=3 IMAGE", "descriptor"},
		{"--default-mounts-file f IMAGE", "cannot be checked"},
		{"--help IMAGE", "podman run --help"},
		{"--unheard-of IMAGE", "not known here"},
		{"--unheard-of=1 IMAGE", "not known here"},
		{"--priv IMAGE", "not known here"},
		{"--remote IMAGE", "not known here"},
		{"-x IMAGE", "not known here"},
		{"-dx IMAGE", "not known here"},
		{"--= IMAGE", "not known here"},
		{"--- IMAGE", "not known here"},
		{"--env", "value is missing"},
		{"-de", "value is missing"},
		{"-d", "No image specified. Usage: "},
		{"--", "No image specified. Usage: "},
		{"_", "No image specified. Usage: "},
		{"--rm --env IMAGE", "No image specified. Usage: "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct podman_flags flags;
		struct error error = {0};
		const char *image;

		if (parse(cases[i].line, &flags, &image, &error) != -EINVAL)
			fail_msg("%s: not refused", cases[i].line);
		if (!strstr(error.text, cases[i].text))
			fail_msg("%s: %s", cases[i].line, error.text);
		assert_null(strchr(error.text, '\n'));
	}
}

static void a_relative_source_is_looked_for_in_the_current_folder(void **state)
{
	struct podman_flags flags;
	struct error error = {0};
	const char *image;

	(void)state;
	assert_int_equal(chdir("/proc"), 0);
	assert_int_equal(parse("--mount type=bind,src=sys,dst=/x IMAGE", &flags, &image, &error), -EINVAL);
	assert_int_equal(parse("-v ./sys:/x IMAGE", &flags, &image, &error), -EINVAL);
	assert_int_equal(parse("-v sys:/x IMAGE", &flags, &image, &error), 0); /* the name of a volume */
	assert_int_equal(parse("--mount type=volume,src=sys,dst=/x IMAGE", &flags, &image, &error), 0);
	assert_int_equal(chdir("/"), 0);
}

static void flags_of_the_shield_are_named_together(void **state)
{
	static const struct {
		const char *line;
		const char *names;
	} cases[] = {
		{"--name x IMAGE", "--name"},
		{"--name=x --hooks-dir /h IMAGE", "--name, --hooks-dir"},
		{"--dns 1.1.1.1 --dns-search a --dns-opt b --dns-option c IMAGE", "--dns, --dns-search, --dns-opt, --dns-option"},
		{"--cap-drop ALL IMAGE", "--cap-drop"},
		{"--security-opt label=disable IMAGE", "--security-opt"},
		{"--runtime runc --runtime-flag x IMAGE", "--runtime, --runtime-flag"},
		{"--pod-id-file f --name n IMAGE", "--pod-id-file, --name"},
		{"--annotation terok.shield.name=x IMAGE", "--annotation"},
		{"--annotation a=b,terok.shield.profiles=x IMAGE", "--annotation"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct podman_flags flags;
		struct error error = {0};
		const char *image;
		char expected[256];

		snprintf(expected, sizeof(expected), "Flag(s) managed by terok-shield, cannot override: %s", cases[i].names);
		assert_int_equal(parse(cases[i].line, &flags, &image, &error), -EINVAL);
		assert_string_equal(error.text, expected);
	}
}

static void published_ports_are_the_containers_side(void **state)
{
	static const struct {
		const char *text;
		int rc;
		uint16_t first, last;
		uint8_t protocol;
	} cases[] = {
		{"80", 0, 80, 80, 6},
		{"8080:80", 0, 80, 80, 6},
		{":80", 0, 80, 80, 6},
		{"127.0.0.1:8080:80", 0, 80, 80, 6},
		{"127.0.0.1::80", 0, 80, 80, 6},
		{"[::1]:8080:80/udp", 0, 80, 80, 17},
		{"53:53/UDP", 0, 53, 53, 17},
		{"9000-9009:8000-8009", 0, 8000, 8009, 6},
		{"5000/sctp", 0, 5000, 5000, 132},
		{"1-65535", 0, 1, 65535, 6},
		{"0", -EINVAL, 0, 0, 0},
		{"65536", -EINVAL, 0, 0, 0},
		{"99999999999", -EINVAL, 0, 0, 0},
		{"80:", -EINVAL, 0, 0, 0},
		{"80/icmp", -EINVAL, 0, 0, 0},
		{"80/", -EINVAL, 0, 0, 0},
		{"90-80", -EINVAL, 0, 0, 0},
		{"80-", -EINVAL, 0, 0, 0},
		{"80x", -EINVAL, 0, 0, 0},
		{"", -EINVAL, 0, 0, 0},
	};
	struct podman_flags flags;
	struct error error = {0};
	const char *image;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct settings_published published;

		if (podman_flags_publish_parse(&published, cases[i].text, strlen(cases[i].text)) != cases[i].rc)
			fail_msg("%s", cases[i].text);
		if (cases[i].rc)
			continue;
		assert_int_equal(published.first, cases[i].first);
		assert_int_equal(published.last, cases[i].last);
		assert_int_equal(published.protocol, cases[i].protocol);
	}
	assert_int_equal(parse("-p8080:80 -p=53:53/udp -dp 1,2 --publish 3 IMAGE -p 9", &flags, &image, &error), 0);
	assert_int_equal(flags.published_count, 5);
	assert_int_equal(flags.published[1].protocol, 17);
	assert_int_equal(flags.published[4].first, 3);
}

static void networks_replace_and_restart_are_noted(void **state)
{
	struct podman_flags flags;
	struct error error = {0};
	const char *image;

	(void)state;
	assert_int_equal(parse("--net a --network=b:ip=1.2.3.4 --replace --restart always IMAGE", &flags, &image, &error), 0);
	assert_int_equal(flags.network_count, 2);
	assert_string_equal(flags.networks[0], "a");
	assert_string_equal(flags.networks[1], "b:ip=1.2.3.4");
	assert_true(flags.replace);
	assert_true(flags.restarts);
	assert_int_equal(parse("--replace=false --restart=no IMAGE", &flags, &image, &error), 0);
	assert_false(flags.replace);
	assert_false(flags.restarts);
	assert_int_equal(parse("--health-on-failure restart IMAGE", &flags, &image, &error), 0);
	assert_true(flags.restarts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_spelling_leads_to_the_image),
		cmocka_unit_test(what_would_open_the_shield_is_refused_with_its_reason),
		cmocka_unit_test(a_relative_source_is_looked_for_in_the_current_folder),
		cmocka_unit_test(flags_of_the_shield_are_named_together),
		cmocka_unit_test(published_ports_are_the_containers_side),
		cmocka_unit_test(networks_replace_and_restart_are_noted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
