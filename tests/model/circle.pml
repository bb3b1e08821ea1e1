/* The circle, as a model for spin. docs/model.md says what it covers and what it cannot tell;
 * run.sh has the configurations, and the rules that are switched off to see the check fail.
 *
 * A node is a signed statement and at once the head after it: hashes do not collide. It names its
 * parent, so all that was ever signed is a tree, node 0 the start. A node is made only if the rules
 * of Circle::apply hold on its parent: no device and no honest store would take another one.
 * path[n] is the set of nodes from the start to n; what follows from them stands beside it.
 * Likewise a record of the one vault names the record before it and the statement it was made at.
 *
 *   p1  No removed device holds the root under which a device that knows of its removal writes.
 *   p2  The level changes only by its rule, and never falls without the signature of an honest
 *       member (honest store), or before each honest member was shown what led to it or that the
 *       log is amiss (hostile store).
 *   p3  Two honest devices never settle on different heads at one number.
 *   p4  A device that an honest member admits is the one whose code was typed there; each device
 *       admitted signed for this circle; a new device takes no history but the one in which the
 *       device that was given its code admitted it.
 *   p5  What was answered "accepted", statement or record, is in every later history.
 *   p6  An honest device that retries gets its statement in (the formula at the end).
 *   p7  No record made after the removal of its writer is taken by a device that knows of it.
 *   p8  No honest device accuses an honest store.
 *   p9  A removed device is never a member again.
 */
#define A 0
#define B 1
#define C 2
#define M 3                       /* keys of the store's own, or of a hostile member */
#define NOBODY 5

#define bit(d) (1 << (d))
#define has(set, d) (((set) >> (d)) & 1)
#define honest(d) (!has(BAD, d))

#ifndef MAX
#define MAX 4                     /* statements after the start */
#endif
#ifndef RECORDS
#define RECORDS 0
#endif
#ifndef LOSSES
#define LOSSES 0
#endif
#ifndef BAD
#define BAD 8                     /* the set of hostile devices; M always is */
#endif
#ifndef START
#define START 3                   /* the set of first members */
#endif
#define NODES (MAX + 1)
#define LINKS (RECORDS + 1)

#define ADMIT 1
#define REMOVE 2
#define ROTATE 3
#define SET 4                     /* any statement without keys: set_region */
#define LOWER 5                   /* set_level to standard */
#define RAISE 6
#define PROPOSE 7                 /* to lower the level */
#define COMPLETE 8
#define CANCEL 9
#define PAPERKEY 10               /* set_recovery, the first */

/* A tick is 36 hours: DELAY of them are 72 hours, AGE are seven days (rounded down, which favours
 * the adversary). An honest member is awake once in each. */
#define DELAY 2
#define AGE 3
#define UNLOGGED 15

/* ---- statements ---- */
byte cnt = 1;
byte par[NODES], typ[NODES], sgn[NODES], co[NODES], arg[NODES];  /* what is signed */
byte named[NODES];                /* the vault head it names */
byte path[NODES], num[NODES], mem[NODES], gone[NODES];
byte root[NODES];                 /* the node that began the epoch: stands for R_e */
byte env[NODES];                  /* who was ever given that root */
#ifdef LEVELS
bool low[NODES], paper[NODES];
byte prop[NODES];                 /* the proposal that stands, or 0 */
byte newm[NODES];                 /* the node that admitted M, or 0 */
byte at[NODES];                   /* the tick of the first checkpoint that proves it */
byte made[NODES];                 /* the tick of its signing */
byte now = AGE;                   /* the first members are of age */
byte awake;                       /* the honest members that had their turn in this tick */
#endif
/* ---- records ---- */
byte rcnt = 1;
byte rpath[LINKS], rnum[LINKS], rsgn[LINKS], rat[LINKS];
byte rborn[LINKS];                /* nodes that were signed before it */
/* ---- devices ---- */
byte view[3];                     /* the newest statement replayed */
byte vtip[3];                     /* the newest record taken */
byte sure[3];                     /* the newest statement compared with the log's map */
byte halt;                        /* devices that told their person of foul play and stopped */
/* ---- admission ---- */
bool asked; byte typed = NOBODY;  /* where C's code was typed */
byte csig[4];                     /* its counter-signature: 1 for this circle, 2 for another */
bool joined = (START >> C) & 1;
/* ---- an honest store ---- */
byte tip, rtip;
byte okd, rok;                    /* statements and records answered "accepted" */
byte rq[2], rqa[2], rqc[2], rqp[2], rqv[2], rqn[2];  /* a device's request; rqn: what it became */
byte ans[2];                      /* 1 accepted, 2 conflict, 3 the answer is lost */
byte lt, lta, ltc, ltp, ltv, lts; /* one request given up, still on its way */
byte lost;
/* ---- the log: the map's label for a number holds one head. Witnesses: all see one map ---- */
byte map[NODES];
#ifdef NO_WITNESS
byte map2[NODES];                 /* what B is shown */
#define shown(d, s) (d == B -> map2[s] : map[s])
#else
#define shown(d, s) map[s]
#endif

bool p1 = 1, p2 = 1, p3 = 1, p4 = 1, p5 = 1, p7 = 1, p8 = 1, p9 = 1;
hidden byte n, i, j, k, good;

/* ---- the rules, on a parent p ---- */
#ifdef NO_MEMBER_RULE
#define member(p, d) 1
#else
#define member(p, d) has(mem[p], d)
#endif
#if defined(NO_COUNTERSIGN)
#define agreed(d) 1
#elif defined(NO_BINDING)
#define agreed(d) (csig[d] != 0)
#else
#define agreed(d) (csig[d] == 1)
#endif
#ifdef NO_RETURN_RULE
#define fresh_keys(p, d) 1
#else
#define fresh_keys(p, d) (!has(gone[p], d))
#endif
#define may_admit(p, s, d) \
  (member(p, s) && !has(mem[p], d) && fresh_keys(p, d) && agreed(d))
#define may_remove(p, s, d) (member(p, s) && has(mem[p], d) && d != s)

#ifdef LEVELS
#ifdef NO_AGE
#define of_age(p, d) 1
#else
#define of_age(p, d) \
  (d != M || (at[newm[p]] <= now && now - at[newm[p]] >= AGE) || (mem[p] & 7) == 0)
#endif
#ifdef NO_SECOND
#define seconded(p, s, c) 1
#else
#define seconded(p, s, c) (c != s && member(p, c) && of_age(p, c))
#endif
#define may_lower(p, s, c) (member(p, s) && !low[p] && of_age(p, s) && seconded(p, s, c))
#ifdef NO_PAPER_RULE
#define may_raise(p, s) (member(p, s) && low[p])
#else
#define may_raise(p, s) (member(p, s) && low[p] && paper[p])
#endif
#define may_propose(p, s) (member(p, s) && !low[p] && prop[p] == 0)
#define may_cancel(p, s) (member(p, s) && prop[p] != 0)
#if defined(NO_DELAY)
#define stood(p) 1
#elif defined(DELAY_FROM_SIGNING)
#define stood(p) (now - made[prop[p]] >= DELAY)
#else
#define stood(p) (at[prop[p]] <= now && now - at[prop[p]] >= DELAY)
#endif
#define may_complete(p, s) (member(p, s) && prop[p] != 0 && !low[p] && stood(p))
#endif

/* ---- what is checked whenever a statement is signed ---- */
inline judge() {
  p9 = ((mem[n] & gone[n]) == 0);
  if
  :: typ[n] == ADMIT ->
    p4 = ((!honest(sgn[n]) || (arg[n] == C && typed == sgn[n]))  /* the code was seen */
          && (arg[n] != C || csig[C] == 1))                      /* it asked, and us */
  :: else
  fi;
#ifdef LEVELS
  if
  :: low[n] != low[par[n]] -> judge_level()
  :: else
  fi;
#endif
  assert(p9); assert(p4)
}

#ifdef LEVELS
/* The rule again, read from the signed history and not from what sign() derives. i walks from the
 * parent to the start: k is the proposal when it is found, and j what voids or lacks. */
inline judge_level() {
  i = par[n]; k = 0; j = 0; good = 0;
  do
  :: i == 0 -> break
  :: else ->
    if
    :: typ[i] == PAPERKEY -> good = 1
    :: typ[i] == PROPOSE && k == 0 -> k = i
    :: (typ[i] == CANCEL || typ[i] == COMPLETE) && k == 0 && typ[n] == COMPLETE -> j = 1
    :: typ[i] == ADMIT && arg[i] == M && typ[n] == LOWER && (sgn[n] == M || co[n] == M) ->
      if
      :: at[i] > now || (now - at[i] < AGE && (mem[par[n]] & 7) != 0) -> j = 1
      :: else
      fi
    :: else
    fi;
    i = par[i]
  od;
  if
  :: typ[n] == RAISE -> p2 = good
  :: typ[n] == LOWER -> p2 = (!j && sgn[n] != co[n] && has(mem[par[n]], sgn[n])
                              && has(mem[par[n]], co[n]))
  :: typ[n] == COMPLETE ->
    p2 = (!j && k != 0 && has(mem[par[n]], sgn[k]) && at[k] <= now && now - at[k] >= DELAY)
  fi;
  assert(p2);
  /* And what the rule is for. */
  if
  :: (low[n] && has(mem[par[n]], A) && sgn[n] != A && co[n] != A
      && !(typ[n] == COMPLETE && sgn[k] == A)) ->
#ifdef HOSTILE
    if
    :: has(halt, A) || !has(mem[view[A]], A) -> skip  /* its person was told, if only that A is out */
    :: else ->
      if
      :: typ[n] == COMPLETE -> p2 = has(path[view[A]], k)
      :: else -> p2 = has(path[view[A]], newm[par[n]])
      fi
    fi;
#ifdef LIMIT_CANCEL
    /* Nor, in a history that the log can still hold, although an honest member signed "cancel". */
    i = 1;
    do
    :: i >= cnt -> break
    :: else -> 
      if
      :: (typ[i] == CANCEL && sgn[i] == A && has(path[par[n]], par[i])
          && map[num[par[n]]] == par[n] && map[num[n]] == 0) -> p2 = 0
      :: else
      fi;
      i++
    od
#endif
#else
    p2 = 0
#endif
  :: else
  fi;
  assert(p2)
}
#endif

inline begin_epoch() {
  root[n] = n;
  if
  :: honest(sgn[n]) ->
#ifdef OLD_READERS
    env[n] = mem[par[n]]
#else
    env[n] = mem[n]
#endif
  :: else -> env[n] = 15          /* a hostile member gives its keys to all */
  fi
}

/* Makes node n: the statement (ty, a) of s and c, on p, naming the vault head h. */
inline sign(p, ty, s, c, a, h) {
  n = cnt; cnt++;
  par[n] = p; typ[n] = ty; sgn[n] = s; co[n] = c; arg[n] = a;
  num[n] = num[p] + 1; path[n] = path[p] | bit(n);
  mem[n] = mem[p]; gone[n] = gone[p]; root[n] = root[p]; named[n] = named[p];
#ifdef LEVELS
  low[n] = low[p]; paper[n] = paper[p]; prop[n] = prop[p]; newm[n] = newm[p];
  at[n] = UNLOGGED; made[n] = now;
#endif
  if
  :: ty == ADMIT ->
    mem[n] = mem[n] | bit(a); named[n] = h;
    if :: honest(s) -> env[root[n]] = env[root[n]] | bit(a) :: else -> env[root[n]] = 15 fi
#ifdef LEVELS
    ; if :: a == M -> newm[n] = n :: else fi
#endif
  :: ty == REMOVE ->
    mem[n] = mem[n] & (15 - bit(a)); gone[n] = gone[n] | bit(a); named[n] = h;
#ifdef LEVELS
#ifndef NO_VOID
    if :: prop[n] != 0 && sgn[prop[n]] == a -> prop[n] = 0 :: else fi;
#endif
#endif
#ifdef NO_EPOCH_ON_REMOVE
    skip
#else
    begin_epoch()
#endif
  :: ty == ROTATE -> named[n] = h; begin_epoch()
  :: ty == SET -> skip
#ifdef LEVELS
  :: ty == LOWER -> low[n] = 1; named[n] = h; prop[n] = 0; begin_epoch()
  :: ty == RAISE -> low[n] = 0; named[n] = h; begin_epoch()
  :: ty == PROPOSE -> prop[n] = n
#ifdef NO_CANCEL
  :: ty == CANCEL -> skip
#else
  :: ty == CANCEL -> prop[n] = 0
#endif
  :: ty == COMPLETE -> low[n] = 1; prop[n] = 0; named[n] = h; begin_epoch()
  :: ty == PAPERKEY -> paper[n] = 1; named[n] = h
#endif
  fi;
  printf("%d: type %d by %d with %d about %d, on %d, vault head %d\n", n, ty, s, c, a, p, h);
  judge()
}

/* ---- records: circle::extend, for a device that replayed v. Leaves the answer in `good`: 1 yes,
 * 0 foul play. i walks the statements, j the records up to r. ---- */
inline extends(v, r) {
  good = has(path[v], rat[r]) && has(mem[rat[r]], rsgn[r]);
#ifndef NO_VAULT_HEADS
  i = 0;
  do
  :: i >= cnt -> break
  :: else ->
    if
    :: has(path[v], i) && typ[i] != 0 && typ[i] != SET && typ[i] < PROPOSE ->
      if
      :: rnum[r] >= rnum[named[i]] && !has(rpath[r], named[i]) -> good = 0
      :: else
      fi;
      j = 1;
      do
      :: j >= rcnt || root[i] != i -> break
      :: else ->
        if
        :: has(rpath[r], j) && rnum[j] > rnum[named[i]] && !has(path[root[rat[j]]], i) -> good = 0
        :: else
        fi;
        j++
      od
    :: else
    fi;
    i++
  od
#else
  skip
#endif
}

inline write(s, v, before) {
  k = rcnt; rcnt++;
  rpath[k] = rpath[before] | bit(k); rnum[k] = rnum[before] + 1;
  rsgn[k] = s; rat[k] = v; rborn[k] = cnt;
  printf("record %d by %d at statement %d on record %d\n", k, s, v, before)
}

/* ---- what is checked whenever a device has read something ---- */
inline judge_view(d) {
  if
  :: !has(halt, d) && has(mem[view[d]], d) ->
    if
    :: (mem[view[d]] & BAD) == 0 -> p1 = ((gone[view[d]] & env[root[view[d]]]) == 0)
    :: else
    fi;
    i = 1;
    do
    :: i >= cnt -> break
    :: else ->
      if
      :: has(path[view[d]], i) && typ[i] == REMOVE ->
        j = 1;
        do
        :: j >= rcnt -> break
        :: else ->
          if
          :: has(rpath[vtip[d]], j) && rsgn[j] == arg[i] && rborn[j] > i -> p7 = 0
          :: else
          fi;
          j++
        od
      :: else
      fi;
      i++
    od
  :: else
  fi;
  assert(p1); assert(p7)
}

inline accuse(d) {
  halt = halt | bit(d);
  printf("device %d tells of foul play\n", d);
#ifndef HOSTILE
  p8 = 0; assert(p8)
#endif
}

/* Reads the circle up to x, which the store shows. What it took before must still stand. */
inline read_circle(d, x) {
  if
  :: has(path[x], view[d]) ->
    view[d] = x;
    printf("device %d replays up to statement %d\n", d, x);
#ifdef NO_LOG
    sure[d] = x;
#endif
    if
    :: vtip[d] != 0 -> extends(view[d], vtip[d]); if :: !good -> accuse(d) :: else fi
    :: else
    fi
  :: else -> accuse(d)
  fi;
  judge_view(d); judge_sure()
}

inline read_record(d, r) {
  if
  :: !has(path[view[d]], rat[r]) ->
#ifdef NO_REREAD
    accuse(d)                     /* the code today: Replica::extend */
#else
    skip                          /* reads the circle again first */
#endif
  :: else ->
    extends(view[d], r);
    printf("device %d reads record %d\n", d, r);
    if :: good -> vtip[d] = r :: else -> accuse(d) fi
  fi;
  judge_view(d)
}

#define apart(x, y) (!has(path[x], y) && !has(path[y], x))
inline judge_sure() {
  if
  :: !has(halt, A) && !has(halt, B) && honest(A) && honest(B) ->
    p3 = !apart(sure[A], sure[B]);
#ifdef LIMIT_VIEW
    p3 = p3 && !apart(view[A], view[B])
#endif
  :: else
  fi;
  assert(p3)
}

/* Sync step S4: in the map, each number up to the view holds what the device has, or, at the end,
 * nothing yet (a promise not yet due); the next is absent. */
inline compare(d) {
  i = view[d]; good = 1; k = 0;
  do
  :: if
     :: shown(d, num[i]) == i || i == 0 -> if :: k == 0 -> k = i + 1 :: else fi
     :: shown(d, num[i]) != 0 && shown(d, num[i]) != i -> good = 0
     :: else
     fi;
     if :: i == 0 -> break :: else -> i = par[i] fi
  od;
#ifndef NO_ABSENCE
  if
  :: good && num[view[d]] < MAX && shown(d, num[view[d]] + 1) != 0 -> good = 2
  :: else
  fi;
#endif
  if
  :: good == 0 -> accuse(d)
  :: good == 1 ->
    if :: num[k - 1] >= num[sure[d]] -> sure[d] = k - 1 :: else fi;
    printf("device %d settles on statement %d\n", d, sure[d]);
#ifdef LEVELS
    awake = awake | bit(d)
#endif
  :: else -> skip                 /* the store owes it a statement */
  fi;
  judge_sure()
}

/* ---- an honest store: compare-and-swap ---- */
#ifdef NO_CAS
#define follows(p) 1
#else
#define follows(p) (p == tip)
#endif
#ifdef NO_HEAD_CAS
#define newest(ty, h) 1
#else
#define newest(ty, h) (ty == SET || ty >= PROPOSE || h == rtip)
#endif

inline judge_store() {
  p5 = ((okd & (255 - path[tip])) == 0 && (rok & (255 - rpath[rtip])) == 0);
  assert(p5);
  if
  :: rtip != 0 -> extends(tip, rtip); p5 = good; assert(p5)
  :: else
  fi
}

inline store_takes(ty, s, c, a, p, h) {
  sign(p, ty, s, c, a, h);
  tip = n; map[num[n]] = n;
#ifdef LEVELS
  at[n] = now;
#endif
  judge_store()
}

/* ---- what a device asks of its store ---- */
inline make(d, ty, c, a) {
#if defined(HOSTILE)
  sign(view[d], ty, d, c, a, vtip[d])
#elif defined(LEVELS)
  store_takes(ty, d, c, a, tip, rtip); view[d] = n
#else
  rq[d] = ty; rqa[d] = a; rqc[d] = c; rqp[d] = view[d]; rqv[d] = vtip[d]; rqn[d] = 0
#endif
}
inline forget(d) {
  rq[d] = 0; rqa[d] = 0; rqc[d] = 0; rqp[d] = 0; rqv[d] = 0; rqn[d] = 0; ans[d] = 0
}

#define works(d) (!has(halt, d) && has(mem[view[d]], d))
#if defined(HOSTILE)
#define ready(d) (works(d) && cnt < NODES)
#elif defined(LEVELS)
#define ready(d) (works(d) && cnt < NODES && view[d] == tip)
#else
#define ready(d) (works(d) && cnt < NODES && rq[d] == 0)
#endif
#define room (cnt < NODES)
#define rroom (rcnt < LINKS)

/* Options of the one loop below. What an honest device does. */
#define REMOVES(d, o) \
  :: d_step { ready(d) && may_remove(view[d], d, o) -> make(d, REMOVE, NOBODY, o) } \
  :: d_step { ready(d) && may_remove(view[d], d, C) -> make(d, REMOVE, NOBODY, C) }
#define ROTATES(d) :: d_step { ready(d) -> make(d, ROTATE, NOBODY, NOBODY) }
#define SETS(d) :: d_step { ready(d) -> make(d, SET, NOBODY, NOBODY) }
#define APPROVES(d) \
  :: d_step { ready(d) && typed == d && csig[C] == 1 && may_admit(view[d], d, C) -> \
              make(d, ADMIT, NOBODY, C) }

/* An honest store takes a request, or loses the answer; the device asks again or gives up, and then
 * the request may still come in later. */
#define SERVES(d) \
  :: d_step { rq[d] != 0 && ans[d] == 0 && rqn[d] != 0 -> ans[d] = 1; okd = okd | bit(rqn[d]); \
              judge_store() } \
  :: d_step { rq[d] != 0 && ans[d] == 0 && rqn[d] == 0 && room && follows(rqp[d]) \
                && newest(rq[d], rqv[d]) -> \
              store_takes(rq[d], d, rqc[d], rqa[d], rqp[d], rqv[d]); \
              rqn[d] = n; ans[d] = 1; okd = okd | bit(n) } \
  :: d_step { rq[d] != 0 && ans[d] == 0 && rqn[d] == 0 && room && follows(rqp[d]) \
                && newest(rq[d], rqv[d]) && lost < LOSSES -> \
              lost++; store_takes(rq[d], d, rqc[d], rqa[d], rqp[d], rqv[d]); \
              rqn[d] = n; ans[d] = 3 } \
  :: d_step { rq[d] != 0 && ans[d] == 0 && rqn[d] == 0 \
                && !(follows(rqp[d]) && newest(rq[d], rqv[d])) -> ans[d] = 2 }
#define GOES_ON(d) \
  :: d_step { rq[d] != 0 && (ans[d] == 1 || ans[d] == 2) -> forget(d) } \
  :: d_step { ans[d] == 3 -> ans[d] = 0 } \
  :: d_step { ans[d] == 3 -> forget(d) } \
  :: d_step { rq[d] != 0 && ans[d] == 0 && rqn[d] == 0 && lost < LOSSES && lt == 0 -> \
              lost++; lt = rq[d]; lta = rqa[d]; ltc = rqc[d]; ltp = rqp[d]; ltv = rqv[d]; lts = d; \
              forget(d) }
#define LATE \
  :: d_step { lt != 0 && room && follows(ltp) && newest(lt, ltv) -> \
              store_takes(lt, lts, ltc, lta, ltp, ltv); \
              lt = 0; lta = 0; ltc = 0; ltp = 0; ltv = 0; lts = 0 } \
  :: d_step { lt != 0 -> lt = 0; lta = 0; ltc = 0; ltp = 0; ltv = 0; lts = 0 }
#define SYNCS(d) \
  :: d_step { !has(halt, d) && view[d] != tip -> read_circle(d, tip) }
#ifdef NO_RECORD_CAS
#define onto(d) 1
#else
#define onto(d) (vtip[d] == rtip)
#endif
#ifdef NO_EPOCH_CAS
#define current(d) 1
#else
#define current(d) (root[view[d]] == root[tip])
#endif
#if RECORDS > 0
#define FETCHES(d, r) \
  :: d_step { works(d) && r < rcnt && has(rpath[rtip], r) && rnum[r] == rnum[vtip[d]] + 1 \
                && has(rpath[r], vtip[d]) -> read_record(d, r) }
#define BACKS_UP(d) \
  :: d_step { works(d) && rroom && rq[d] == 0 && onto(d) && current(d) -> \
              write(d, view[d], vtip[d]); vtip[d] = k; rtip = k; rok = rok | bit(k); \
              judge_store() }
#else
#define FETCHES(d, r)
#define BACKS_UP(d)
#endif

/* A new device: the code goes by a person, once; the messages under its MAC through the store. */
#define ASKS \
  :: d_step { !asked && START == 3 -> asked = 1 } \
  :: d_step { asked && typed == NOBODY -> typed = A } \
  :: d_step { asked && typed == NOBODY -> typed = B } \
  :: d_step { typed != NOBODY && csig[C] != 1 -> csig[C] = 1 }

/* ---- a hostile store ---- */
#define SHOWS(d, x) \
  :: d_step { x < cnt && !has(halt, d) && x != view[d] && has(path[x], view[d]) -> \
              read_circle(d, x) }
#define HANDS(d, r) \
  :: d_step { r < rcnt && works(d) && r != vtip[d] && has(rpath[r], vtip[d]) \
                && rnum[r] == rnum[vtip[d]] + 1 -> read_record(d, r) }
#ifdef LEVELS
#define proven(x) at[x] = now
#else
#define proven(x) skip
#endif
#if defined(NO_LOG)
#define LOGS(x)
#elif defined(NO_ONE_VALUE)
#define LOGS(x) \
  :: d_step { x < cnt && map[num[x]] != x && (num[x] == 1 || map[num[x] - 1] != 0) -> \
              map[num[x]] = x }
#elif defined(NO_WITNESS)
#define LOGS(x) \
  :: d_step { x < cnt && map[num[x]] == 0 && (num[x] == 1 || map[num[x] - 1] != 0) -> \
              map[num[x]] = x } \
  :: d_step { x < cnt && map2[num[x]] == 0 && (num[x] == 1 || map2[num[x] - 1] != 0) -> \
              map2[num[x]] = x }
#else
#define LOGS(x) \
  :: d_step { x < cnt && map[num[x]] == 0 && (num[x] == 1 || map[num[x] - 1] != 0) -> \
              map[num[x]] = x; proven(x); printf("the log holds statement %d\n", x) }
#endif
#ifdef NO_LOG
#define COMPARES(d)
#else
#define COMPARES(d) :: d_step { works(d) -> compare(d) }
#endif
#define BAD_SIGNS(d, p) \
  :: d_step { room && p < cnt && may_remove(p, d, A) -> sign(p, REMOVE, d, NOBODY, A, named[p]) } \
  :: d_step { room && p < cnt && may_remove(p, d, B) -> sign(p, REMOVE, d, NOBODY, B, named[p]) } \
  :: d_step { room && p < cnt && member(p, d) -> sign(p, ROTATE, d, NOBODY, NOBODY, named[p]) }
#define BAD_ADMITS(d, p) \
  :: d_step { room && p < cnt && may_admit(p, d, C) -> sign(p, ADMIT, d, NOBODY, C, 0) } \
  :: d_step { room && p < cnt && may_admit(p, d, M) -> sign(p, ADMIT, d, NOBODY, M, 0) }
#define BAD_WRITES(d, v, r) \
  :: d_step { rroom && v < cnt && r < rcnt && has(mem[v], d) && has(path[v], rat[r]) -> \
              write(d, v, r) }
/* What an honest device is sure of, or takes, is what it writes on. */
#define STORES(d) :: d_step { works(d) && rroom -> write(d, view[d], vtip[d]); vtip[d] = k }

#ifdef LEVELS
/* At an honest store a hostile member signs on the newest statement; at its own, on any. */
#ifdef HOSTILE
#define BAD_DOES(d, p, rule, ty, c, a) \
  :: d_step { room && p < cnt && rule -> sign(p, ty, d, c, a, 0) }
#else
#define BAD_DOES(d, p, rule, ty, c, a) \
  :: d_step { room && p == tip && rule -> store_takes(ty, d, c, a, p, 0) }
#endif
#define BAD_LEVELS(d, o, p) \
  BAD_DOES(d, p, may_lower(p, d, o), LOWER, o, NOBODY) \
  BAD_DOES(d, p, may_propose(p, d), PROPOSE, NOBODY, NOBODY) \
  BAD_DOES(d, p, may_complete(p, d), COMPLETE, NOBODY, NOBODY) \
  BAD_DOES(d, p, may_cancel(p, d), CANCEL, NOBODY, NOBODY) \
  BAD_DOES(d, p, may_raise(p, d), RAISE, NOBODY, NOBODY) \
  BAD_DOES(d, p, may_admit(p, d, M), ADMIT, NOBODY, M) \
  BAD_DOES(d, p, may_remove(p, d, A), REMOVE, NOBODY, A)
/* An honest member takes out what it did not approve, and cancels what it did not propose, or
 * removes who proposed it. */
#define foreign(p) (prop[p] != 0 && sgn[prop[p]] != A)
#define OBJECTS \
  :: d_step { ready(A) && foreign(view[A]) -> make(A, CANCEL, NOBODY, NOBODY) } \
  :: d_step { ready(A) && foreign(view[A]) && may_remove(view[A], A, sgn[prop[view[A]]]) -> \
              make(A, REMOVE, NOBODY, sgn[prop[view[A]]]) } \
  :: d_step { ready(A) && may_remove(view[A], A, M) -> make(A, REMOVE, NOBODY, M) }
#define CHOOSES_LEVEL \
  :: d_step { ready(A) && may_propose(view[A], A) -> make(A, PROPOSE, NOBODY, NOBODY) } \
  :: d_step { ready(A) && prop[view[A]] != 0 && !foreign(view[A]) \
                && may_complete(view[A], A) -> make(A, COMPLETE, NOBODY, NOBODY) } \
  :: d_step { ready(A) && may_lower(view[A], A, B) -> make(A, LOWER, B, NOBODY) } \
  :: d_step { ready(A) && may_raise(view[A], A) -> make(A, RAISE, NOBODY, NOBODY) } \
  :: d_step { ready(A) && !paper[view[A]] -> make(A, PAPERKEY, NOBODY, NOBODY) }
#define LAST (AGE + 3)
#ifdef HOSTILE
#define idle(d) 0                 /* compare() says when it had its turn */
#else
#define idle(d) (view[d] == tip && !foreign(tip) && !has(mem[tip], M))
#endif
#define TURNS \
  :: d_step { idle(A) && !has(awake, A) -> awake = bit(A) } \
  :: d_step { now < LAST && (has(awake, A) || !works(A)) -> now++; awake = 0; \
              printf("tick %d\n", now) }
#endif

/* The last MAC is over the head after the admission, by the device that was given the code. */
inline join(x) {
  i = x;
  do
  :: i == 0 || (typ[i] == ADMIT && arg[i] == C) -> break
  :: else -> i = par[i]
  od;
#ifndef NO_LAST_MAC
  if
  :: sgn[i] == typed ->
#endif
    joined = 1; view[C] = x; p4 = (sgn[i] == typed); assert(p4)
#ifndef NO_LAST_MAC
  :: else
  fi
#endif
}
#define JOINS(x) \
  :: d_step { x < cnt && !joined && csig[C] == 1 && has(mem[x], C) -> join(x) }

#ifdef PROGRESS
bool done[2];
ltl p6 { (<> done[A]) && (<> done[B]) }

proctype Device(byte d) {
  do
  :: done[d] -> break
  :: else ->
    atomic { make(d, SET, NOBODY, NOBODY) };
    do
    :: ans[d] == 1 -> done[d] = 1; break
    :: ans[d] == 2 -> break
    :: ans[d] == 3 -> ans[d] = 0
    od;
    atomic {
      forget(d);
#ifndef NO_REBASE
      view[d] = tip
#endif
    }
  od
}

proctype Store() {
end: do
  SERVES(A)
  SERVES(B)
  :: d_step { cnt < MAX - 1 -> store_takes(SET, C, NOBODY, NOBODY, tip, rtip) }  /* others */
  od
}
#endif

/* ---- one configuration each; every option is one step of a device or of the store ---- */
init {
  d_step {
    mem[0] = START; env[0] = START; path[0] = 1; rpath[0] = 1; rat[0] = 0; csig[M] = 1;
#ifdef LEVELS
    low[0] = LOW; paper[0] = 0; at[0] = 0
#endif
  }
#if defined(APPEND)               /* an honest store that loses and delays; all honest */
end: do
  REMOVES(A, B)
  REMOVES(B, A)
  ROTATES(A)
  ROTATES(B)
  APPROVES(A)
  APPROVES(B)
  SERVES(A)
  SERVES(B)
  GOES_ON(A)
  GOES_ON(B)
  LATE
  SYNCS(A)
  SYNCS(B)
  ASKS
  od
#elif defined(BACKUP)             /* an honest store; statements and records of two devices */
end: do
  REMOVES(A, B)
  REMOVES(B, A)
  SETS(A)
  SETS(B)
  SERVES(A)
  SERVES(B)
  GOES_ON(A)
  GOES_ON(B)
  SYNCS(A)
  SYNCS(B)
  FETCHES(A, 1)
  FETCHES(A, 2)
  FETCHES(B, 1)
  FETCHES(B, 2)
  BACKS_UP(A)
  BACKS_UP(B)
  od
#elif defined(FORK)               /* a hostile store with a member, C, that is removed */
end: do
  REMOVES(A, B)
  REMOVES(B, A)
  ROTATES(A)
  ROTATES(B)
  BAD_SIGNS(C, 0)
  BAD_SIGNS(C, 1)
  BAD_SIGNS(C, 2)
  SHOWS(A, 1)
  SHOWS(A, 2)
  SHOWS(A, 3)
  SHOWS(B, 1)
  SHOWS(B, 2)
  SHOWS(B, 3)
  LOGS(1)
  LOGS(2)
  LOGS(3)
  COMPARES(A)
  COMPARES(B)
#if RECORDS > 0
  STORES(A)
  BAD_WRITES(C, 0, 0)
  BAD_WRITES(C, 1, 0)
  BAD_WRITES(C, 0, 1)
  BAD_WRITES(C, 1, 1)
  HANDS(A, 1)
  HANDS(A, 2)
  HANDS(B, 1)
  HANDS(B, 2)
#endif
  od
#elif defined(JOIN)               /* a hostile store, a hostile member B, a new device C */
end: do
  APPROVES(A)
#ifdef NO_MAC
  :: d_step { ready(A) && typed == A && may_admit(view[A], A, M) -> make(A, ADMIT, NOBODY, M) }
#endif
  :: d_step { ready(A) && may_remove(view[A], A, C) -> make(A, REMOVE, NOBODY, C) }
  :: d_step { ready(A) && may_remove(view[A], A, B) -> make(A, REMOVE, NOBODY, B) }
  BAD_SIGNS(B, 0)
  BAD_SIGNS(B, 1)
  BAD_SIGNS(B, 2)
  BAD_ADMITS(B, 0)
  BAD_ADMITS(B, 1)
  BAD_ADMITS(B, 2)
  BAD_ADMITS(M, 1)
  BAD_ADMITS(M, 2)
  SHOWS(A, 1)
  SHOWS(A, 2)
  SHOWS(A, 3)
  ASKS
  :: d_step { !asked && csig[C] == 0 -> csig[C] = 2 }   /* it joined elsewhere before */
  JOINS(1)
  JOINS(2)
  JOINS(3)
  od
#elif defined(LEVELS)             /* a hostile member B with keys M; with HOSTILE, the store too */
end: do
  OBJECTS
  TURNS
  BAD_LEVELS(B, M, 0)
  BAD_LEVELS(B, M, 1)
  BAD_LEVELS(B, M, 2)
  BAD_LEVELS(M, B, 1)
  BAD_LEVELS(M, B, 2)
#if MAX > 3
  BAD_LEVELS(B, M, 3)
  BAD_LEVELS(M, B, 3)
#endif
#if MAX > 4
  BAD_LEVELS(B, M, 4)
  BAD_LEVELS(M, B, 4)
#endif
#if MAX > 5
  BAD_LEVELS(B, M, 5)
  BAD_LEVELS(M, B, 5)
#endif
#ifdef HOSTILE
  SHOWS(A, 1)
  SHOWS(A, 2)
  SHOWS(A, 3)
  LOGS(1)
  LOGS(2)
  LOGS(3)
#if MAX > 3
  SHOWS(A, 4)
  LOGS(4)
#endif
  COMPARES(A)
#else
  SYNCS(A)
  CHOOSES_LEVEL
#endif
  od
#elif defined(PROGRESS)           /* each of two devices has one statement, with retries */
  atomic { run Device(A); run Device(B); run Store() }
#endif
}
