/* Preloaded, this makes a process believe that its CPU has neither AVX-512 nor AMX nor AVX-VNNI:
 * CPUID is made to fault (Linux on Intel, arch_prctl), and the answer of the fault's handler lacks
 * those bits. Threads inherit the setting.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { ARCH_SET_CPUID = 0x1012 };

static unsigned masked_answers;

/* Leaf 7: F, DQ, IFMA, PF, ER, CD, BW, VL; VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ; 4VNNIW, 4FMAPS,
 * VP2INTERSECT, AMX-BF16, FP16, AMX-TILE, AMX-INT8. */
static const unsigned kLeaf7Ebx =
    1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31;
static const unsigned kLeaf7Ecx = 1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14;
static const unsigned kLeaf7Edx =
    1u << 2 | 1u << 3 | 1u << 8 | 1u << 22 | 1u << 23 | 1u << 24 | 1u << 25;
/* Leaf 7.1: AVX-VNNI; AVX512_BF16, AMX-FP16. 7.1 EDX: AVX-VNNI-INT8, INT16, AMX-COMPLEX, AVX10. */
static const unsigned kVnniEax = 1u << 4;
static const unsigned kWideEax = 1u << 5 | 1u << 21;
static const unsigned kVnniEdx = 1u << 4 | 1u << 10;
static const unsigned kWideEdx = 1u << 8 | 1u << 19;

static void set_cpuid(unsigned long enabled) { syscall(SYS_arch_prctl, ARCH_SET_CPUID, enabled); }

static void answer(unsigned leaf, unsigned subleaf, greg_t* registers) {
    unsigned a, b, c, d;
    set_cpuid(1);
    __cpuid_count(leaf, subleaf, a, b, c, d);
    set_cpuid(0);
    if (leaf == 7 && subleaf == 0) {
        b &= ~kLeaf7Ebx;
        c &= ~kLeaf7Ecx;
        d &= ~kLeaf7Edx;
        __atomic_add_fetch(&masked_answers, 1, __ATOMIC_RELAXED);
    } else if (leaf == 7 && subleaf == 1) {
        a &= ~(kWideEax | kVnniEax);
        d &= ~(kWideEdx | kVnniEdx);
    }
    registers[REG_RAX] = a;
    registers[REG_RBX] = b;
    registers[REG_RCX] = c;
    registers[REG_RDX] = d;
}

static void on_fault(int signal_number, siginfo_t* info, void* context) {
    (void)info;
    greg_t* const registers = ((ucontext_t*)context)->uc_mcontext.gregs;
    const unsigned char* const code = (const unsigned char*)registers[REG_RIP];
    if (code[0] != 0x0f || code[1] != 0xa2) {
        /* Another fault: it comes again, to die of it. */
        signal(signal_number, SIG_DFL);
        return;
    }
    answer((unsigned)registers[REG_RAX], (unsigned)registers[REG_RCX], registers);
    registers[REG_RIP] += 2;
}

__attribute__((constructor)) static void begin(void) {
    struct sigaction action = {0};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    if (sigaction(SIGSEGV, &action, NULL) != 0) _exit(3);
    if (syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0ul) != 0) {
        static const char kWhy[] = "this kernel or CPU cannot make CPUID fault\n";
        if (write(2, kWhy, sizeof kWhy - 1) < 0) _exit(3);
        _exit(3);
    }
}

/* How often somebody asked for what is hidden. */
unsigned rrt_masked_answers(void) { return __atomic_load_n(&masked_answers, __ATOMIC_RELAXED); }

/* What the thread that calls it is told. */
int rrt_sees_avx512(void) {
    unsigned a, b, c, d;
    __cpuid_count(7, 0, a, b, c, d);
    return (b & kLeaf7Ebx) != 0;
}

/* Likewise of what multiplies bytes exactly: AVX512_VNNI, AMX-INT8, AVX-VNNI and AVX-VNNI-INT8. */
int rrt_sees_vnni(void) {
    unsigned a, b, c, d;
    __cpuid_count(7, 0, a, b, c, d);
    if ((c & 1u << 11) != 0 || (d & 1u << 25) != 0) return 1;
    if (a == 0) return 0;
    __cpuid_count(7, 1, a, b, c, d);
    return (a & kVnniEax) != 0 || (d & kVnniEdx) != 0;
}
