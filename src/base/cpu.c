/* Asks the CPU, the kernel and the control group what there is to run on. */
#define _GNU_SOURCE
#include "base/cpu.h"
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

static ingot__cpu info;
static ingot__isa best; /* what the CPU has, before INGOT_ISA and ingot__cpu_force lowered it */
static const char *const isa_names[INGOT__ISA_COUNT] = {"portable", "avx2", "avx512"};

#if defined(__x86_64__)
static bool has(unsigned word, unsigned bits) { return (word & bits) == bits; }

static unsigned long long xgetbv0(void) {
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (unsigned long long)high << 32 | low;
}

static void ask_cpuid(void) {
  unsigned a, b, c, d, b7 = 0, c7 = 0, d7 = 0, a71 = 0, top = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return;
  unsigned c1 = c;
  if (__get_cpuid_count(7, 0, &top, &b7, &c7, &d7) && top >= 1) __get_cpuid_count(7, 1, &a71, &b, &c, &d);
  unsigned lzcnt = __get_cpuid(0x80000001u, &a, &b, &c, &d) ? c & 1u << 5 : 0;
  /* The kernel must save the registers too: bits 1-2 SSE and AVX, 5-7 AVX-512, 17-18 AMX. */
  unsigned long long saved = has(c1, 1u << 27 | 1u << 28) ? xgetbv0() : 0;
  /* FMA, SSE4.2, MOVBE, POPCNT, F16C; BMI1, AVX2, BMI2: the compiler may use all of x86-64-v3 in the AVX2 files. */
  bool avx2 = (saved & 0x6) == 0x6 && has(c1, 1u << 12 | 1u << 20 | 1u << 22 | 1u << 23 | 1u << 29) && has(b7, 1u << 3 | 1u << 5 | 1u << 8) && lzcnt;
  /* F, DQ, CD, BW, VL: x86-64-v4. */
  bool avx512 = avx2 && (saved & 0xe6) == 0xe6 && has(b7, 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31);
  best = avx512 ? INGOT__ISA_AVX512 : avx2 ? INGOT__ISA_AVX2 : INGOT__ISA_PORTABLE;
  info.avx_vnni = avx2 && has(a71, 1u << 4);
  info.avx512_vnni = avx512 && has(c7, 1u << 11);
  info.avx512_bf16 = avx512 && has(a71, 1u << 5);
  bool amx = avx512 && (saved & 0x60000) == 0x60000 && has(d7, 1u << 24);
  info.amx_int8 = amx && has(d7, 1u << 25);
  info.amx_bf16 = amx && has(d7, 1u << 22);

  unsigned name[12];
  if (!__get_cpuid(0x80000004u, &a, &b, &c, &d)) return;
  for (unsigned i = 0; i < 3; i++) __get_cpuid(0x80000002u + i, &name[4 * i], &name[4 * i + 1], &name[4 * i + 2], &name[4 * i + 3]);
  char text[49] = {0};
  memcpy(text, name, 48);
  size_t n = 0; /* some pad with blanks, before or after or between */
  for (const char *p = text; *p; p++) {
    if (*p == ' ' && (n == 0 || info.model[n - 1] == ' ')) continue;
    info.model[n++] = *p;
  }
  if (n && info.model[n - 1] == ' ') n--;
  info.model[n] = 0;
}
#else
static void ask_cpuid(void) {}
#endif

/* Quota over period of one group's folder, rounded up; 0: no limit there. */
static int quota(const char *folder) {
  char path[1200], text[64] = "";
  double limit = 0, period = 0;
  snprintf(path, sizeof path, "%s/cpu.max", folder); /* version 2: "max 100000" or "150000 100000" */
  FILE *f = fopen(path, "re");
  if (f) {
    if (!fgets(text, sizeof text, f) || sscanf(text, "%lf %lf", &limit, &period) != 2) limit = 0;
    fclose(f);
  } else {
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
    if (!(f = fopen(path, "re"))) return 0;
    if (fscanf(f, "%lf", &limit) != 1) limit = 0;
    fclose(f);
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    if (!(f = fopen(path, "re"))) return 0;
    if (fscanf(f, "%lf", &period) != 1) period = 0;
    fclose(f);
  }
  if (!(limit > 0) || !(period > 0)) return 0;
  double n = limit / period;
  return n >= 1e6 ? 0 : (int)n + (n > (int)n);
}

/* The least quota of the process's group and the groups around it. */
static int group_cores(void) {
  int least = 0;
  FILE *f = fopen("/proc/self/cgroup", "re");
  if (!f) return 0;
  char line[1024], folder[1100];
  while (fgets(line, sizeof line, f)) { /* "0::/a/b" (version 2) or "4:cpu,cpuacct:/a/b" (version 1) */
    line[strcspn(line, "\n")] = 0;
    char *list = strchr(line, ':'), *group = list ? strchr(list + 1, ':') : NULL;
    if (!group) continue;
    *group++ = 0;
    list++;
    bool version1 = !strcmp(list, "cpu") || !strncmp(list, "cpu,", 4) || strstr(list, ",cpu,");
    if (*list && !version1) continue;
    const char *base = version1 ? "/sys/fs/cgroup/cpu" : "/sys/fs/cgroup";
    for (;;) {
      snprintf(folder, sizeof folder, "%s%s", base, group);
      int n = quota(folder);
      if (n > 0 && (least == 0 || n < least)) least = n;
      char *slash = strrchr(group, '/');
      if (!slash) break;
      *slash = 0;
    }
  }
  fclose(f);
  return least;
}

static int usable_cores(void) {
  int n = 0;
  for (size_t max = CPU_SETSIZE; n == 0 && max <= CPU_SETSIZE * 64; max *= 4) { /* too small a set is refused on large machines */
    cpu_set_t *set = CPU_ALLOC(max);
    if (!set) break;
    if (sched_getaffinity(0, CPU_ALLOC_SIZE(max), set) == 0) n = CPU_COUNT_S(CPU_ALLOC_SIZE(max), set);
    CPU_FREE(set);
  }
  if (n < 1) n = (int)sysconf(_SC_NPROCESSORS_ONLN);
  int group = group_cores();
  if (group > 0 && group < n) n = group;
  return n < 1 ? 1 : n;
}

static size_t cache(int name, size_t otherwise) {
  long n = name < 0 ? 0 : sysconf(name);
  return n > 0 ? (size_t)n : otherwise;
}

static void ask(void) {
  best = INGOT__ISA_PORTABLE;
  snprintf(info.model, sizeof info.model, "unknown CPU");
  ask_cpuid();
  info.isa = best;
  const char *wanted = getenv("INGOT_ISA");
  for (int i = 0; wanted && i < (int)best; i++)
    if (!strcmp(wanted, isa_names[i])) info.isa = (ingot__isa)i;
  info.cores = usable_cores();
#ifdef _SC_LEVEL1_DCACHE_SIZE
  info.l1d = cache(_SC_LEVEL1_DCACHE_SIZE, 32 << 10);
  info.l2 = cache(_SC_LEVEL2_CACHE_SIZE, 512 << 10);
  info.l3 = cache(_SC_LEVEL3_CACHE_SIZE, 8 << 20);
#else
  info.l1d = cache(-1, 32 << 10), info.l2 = cache(-1, 512 << 10), info.l3 = cache(-1, 8 << 20);
#endif
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

const ingot__cpu *ingot__cpu_info(void) {
  pthread_once(&once, ask);
  return &info;
}

const char *ingot__isa_name(ingot__isa isa) { return (unsigned)isa < INGOT__ISA_COUNT ? isa_names[isa] : "unknown"; }

void ingot__cpu_force(ingot__isa isa) {
  pthread_once(&once, ask);
  info.isa = isa < best ? isa : best;
}
