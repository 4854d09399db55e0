/* options_help.c - see options_help.h. The manual is docs/kdgate.1. */
#include "proxy/options_help.h"

#define PROGRAM \
	"  --secure               for as long as kdgate lives, whatever a policy allows: no files and programs of the stub's\n" \
	"                         host, no tracepoints, nothing unknown, monitor commands by name only; needs --audit\n" \
	"  --sandbox try|must|off what kdgate itself may still do. Default: try, what this kernel has; with --secure must\n" \
	"  --record FILE          every conversation, as a capture that Wireshark opens; FILE must not be there yet\n" \
	"  --learn FILE           at the end, the smallest policy that would have allowed it all; - for standard output\n"

static const char general[] =
	"kdgate stands between a debugger and a kernel: who may connect, which commands may pass.\n"
	"\n"
	"  kdgate TARGET [OPTION]...                     one target, now\n"
	"  kdgate serve [-c FILE] [OPTION]...            the targets of a configuration file\n"
	"  kdgate check [-c FILE]                        read the configuration and tell what it means\n"
	"  kdgate explain --policy NAME PACKET...        which rule decides on a packet, and why\n"
	"  kdgate explain --recording FILE               the smallest policy that a recorded session needs\n"
	"  kdgate decode FILE [--json]                   a recording, packet by packet, in words or as JSON\n"
	"  kdgate replay FILE [OPTION]...                a recorded KD session as a target that can be looked at\n"
	"      [--key-file FILE | --key KEY]             both: the key of a recording of KDNET\n"
	"  kdgate ls                                     the serial ports and USB debug devices that are here\n"
	"  kdgate keygen                                 a key for a KDNET target, and how both ends get it\n"
	"  kdgate COMMAND --help, kdgate --version\n"
	"\n"
	"TARGET is PROTOCOL+LINK:ADDRESS. PROTOCOL: rsp, a GDB stub; kgdb, Linux's, on its console's wire or its own; kd, a Windows kernel.\n"
	"LINK:ADDRESS: tcp:HOST:PORT, unix:PATH, serial:DEVICE@BAUD[,7e1][,rtscts], rfc2217:HOST:PORT[@BAUD], telnet:HOST:PORT,\n"
	"udp:HOST:PORT, usb:debug, usb:VID:PID[/SERIAL][:INTERFACE][@BAUD]. kdgate ls shows what is here.\n"
	"Or kdnet:ADDRESS:PORT, which a Windows target dials: an address of this machine, 0.0.0.0 for all of them.\n"
	"\n"
	"For each listener; before the first --listen they are for all, after one for that one:\n"
	"  --listen ADDR          tcp:ADDRESS:PORT, unix:PATH or stdio; may be given again. Default: tcp:127.0.0.1:1234,\n"
	"                         or port 2345 where the target itself is at that address\n"
	"  --policy NAME          full, debug, observe, none, or one of the file's. Default: debug\n"
	"  --allow WHO            user=NAME, group=NAME, 192.0.2.0/24, 2001:db8::/32 or any; may be given again.\n"
	"                         With a policy of its own: user=alice,policy=observe. Default: root and you\n"
	"  --socket-mode MODE     of a Unix socket. Default: 0600\n"
	"  --socket-group GROUP   of a Unix socket\n"
	"  --accept-plain-risk    listen beyond loopback without encryption; needs --allow with addresses\n"
	"\n"
	"For the target:\n"
	"  --console ADDR                 who connects here sees a kernel's console, and types there if policy grants console;\n"
	"                                 --policy, --allow and the like may follow, as after --listen\n"
	"  --console-log FILE             what it says, each line behind its time\n"
	"  --console-to-debugger          debuggers are shown it too, while the kernel runs\n"
	"  --console-line LINK:ADDRESS    of kgdb: the line that the console is on, where it is not the debugger's\n"
	"  --break-in TEXT                typed on the console to stop the kernel, where the line cannot carry a BREAK:\n"
	"                                 'echo g > /proc/sysrq-trigger'\n"
	"  --key-file FILE                of kdnet: the key, readable by nobody else; or credential:NAME, of systemd.\n"
	"                                 Default: credential:kdnet-key\n"
	"  --on-disconnect run|stay       what it does when its debugger vanishes. Default: run\n"
	"  --max-clients N                1 to 256. Default: 32\n"
	"  --no-cache                     every read is made anew; else what was read is kept until the target runs\n"
	"  --unconfirmed                  of kd+usb: try what was never seen on a real Windows machine\n"
	"  --audit FILE                   a line of JSON for each decision; - for standard output\n"
	"  --audit-failure stop|continue  when that cannot be written. Default: continue, with --secure stop\n"
	"  -c, --config FILE              for its policies; its targets are left alone\n"
	"\n"
	PROGRAM
	"  --trace                show every frame on standard error\n"
	"  -v, --verbose          say more\n"
	"  -q, --quiet            say less; again: errors only\n"
	"  -h, --help, --version\n";

static const char serve[] =
	"kdgate serve [-c FILE] [OPTION]...\n"
	"\n"
	"Serves the targets of a configuration file until it is told to stop.\n"
	"\n"
	"  -c, --config FILE      default: " OPTIONS_CONFIG_FILE "; see kdgate.conf(5)\n"
	PROGRAM
	"  --trace                show every frame on standard error\n"
	"  -v, --verbose          say more\n"
	"  -q, --quiet            say less; again: errors only\n";

static const char check[] =
	"kdgate check [-c FILE]\n"
	"\n"
	"Reads a configuration file and tells what it means: each target, who may use it, and what they may do.\n"
	"Exits with 1, and FILE:LINE with what is wrong, if kdgate serve would refuse it; but a file of policies alone, as --learn\n"
	"writes it, is fine: it is for kdgate TARGET -c FILE.\n"
	"\n"
	"  -c, --config FILE      default: " OPTIONS_CONFIG_FILE "; see kdgate.conf(5)\n";

static const char explain[] =
	"kdgate explain --policy NAME [-c FILE] PACKET...\n"
	"kdgate explain --recording FILE\n"
	"\n"
	"Tells for each packet which rule of the policy decides on it, effect by effect, and why.\n"
	"Exits with 0 if all are allowed, 1 if one is denied.\n"
	"With a recording, prints the smallest policy that would have allowed what its clients did.\n"
	"\n"
	"  PACKET                 as on the wire, framed or not: m1000,40  '$c#63'  vCont;s:1  qRcmd,68656c70\n"
	"                         or \"monitor TEXT\", or ctrl-c for a break-in\n"
	"  --policy NAME          full, debug, observe, none, or one of the file's\n"
	"  -c, --config FILE      where other policies are defined; see kdgate.conf(5)\n"
	"  --recording FILE       of --record, or a capture (pcap, pcapng) of RSP over TCP\n";

static const char decode[] =
	"kdgate decode FILE [OPTION]...\n"
	"\n"
	"Prints a recording packet by packet, in words: of --record; a capture (pcap, pcapng) of RSP or KD over TCP, or of KDNET;\n"
	"a serial line's as text, each line SECONDS T|H HEX. All of them also packed by gzip; - for standard input.\n"
	"\n"
	"  --key-file FILE        the key of a KDNET target, or credential:NAME; without it, what is sealed stays so\n"
	"  --key KEY              the key itself, which others can see\n"
	"  --json                 an object a line, with all of every field\n";

static const char replay[] =
	"kdgate replay FILE [OPTION]...\n"
	"\n"
	"Serves a recorded session of KD or KDNET as a target that stands: what the debugger of then learnt at a stop, no more.\n"
	"Nothing can be written. Where a policy allows to run it, it goes to the next recorded stop.\n"
	"\n"
	"  --key-file FILE        the key of a KDNET target, or credential:NAME\n"
	"  --key KEY              the key itself, which others can see\n"
	"  --policy NAME          as for a TARGET, with --listen and the others; the default here is observe. See kdgate --help\n";

static const char ls[] =
	"kdgate ls\n"
	"\n"
	"Prints the serial ports that are here, USB debug devices, and USB adapters that no driver has, each as a TARGET, and what\n"
	"keeps this user from opening it. For a Windows kernel on a serial port it is kd+serial.\n";

static const char keygen[] =
	"kdgate keygen\n"
	"\n"
	"Prints a strong key for a KDNET target, and on standard error what to do with it; with -q the key alone.\n";

const char *const options_help[OPTIONS_MODES] = {
	[OPTIONS_RUN] = general,
	[OPTIONS_SERVE] = serve,
	[OPTIONS_CHECK] = check,
	[OPTIONS_EXPLAIN] = explain,
	[OPTIONS_LEARNED] = explain,
	[OPTIONS_DECODE] = decode,
	[OPTIONS_REPLAY] = replay,
	[OPTIONS_LS] = ls,
	[OPTIONS_KEYGEN] = keygen,
};
