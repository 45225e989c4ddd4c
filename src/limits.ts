/**
 * Every limit and default, with its unit in its name; those of logins are in server/access. No
 * other file has a bare number with a meaning. Used everywhere.
 */

export const KIB = 1024;
export const MIB = 1024 * KIB;

// Ballots
/** How many rounds a ballot may be above a promise of a server, or above the floor of its space. */
export const BALLOT_STEP = 2 ** 24;
/** How many such steps a client climbs in one try, above the round that two servers vouch for. */
export const CLIMB_STEPS = 16;

// Names
/** Of a name before its first "/", and after it. */
export const FIRST_COMPONENT_BYTES = 255;
export const REST_BYTES = 1024;
/** The longest sealed name: 255 bytes, and 1,024 empty components, which become 23 bytes each. */
export const SEALED_NAME_BYTES = 362 + 1 + REST_BYTES * 23;
export const FOLDERS_REMEMBERED = 4096;
export const USERS_PAGE = 1000;
/** How many floors one message has. */
export const FLOORS_PAGE = 1000;
/** All attributes of a version, encoded; and a key of one. */
export const ATTRIBUTES_BYTES = 12 * KIB;
export const ATTRIBUTE_KEY_BYTES = 255;
/** What is sealed in a manifest has a length that is a multiple of this. */
export const FACTS_UNIT_BYTES = 64;
/** The sealed part of a manifest: the attributes, a size, a key and a tag. */
export const SEALED_FACTS_BYTES = ATTRIBUTES_BYTES + 2 * FACTS_UNIT_BYTES;
/** How many passwords may open one master key. */
export const WRAPS_MAX = 4;
/** The most expensive stretch of a password that a key record may ask a client for. */
export const WRAP_KIB_MAX = 64 * KIB;
export const WRAP_PASSES_MAX = 4;
export const WRAP_LANES_MAX = 4;
/** How many stretches one command does at most. */
export const STRETCHES_MAX = 16;

// Pieces
export const BLOCK_BYTES = 64 * KIB;
export const CHUNK_BYTES = 256 * KIB;
export const INLINE_BYTES = 16 * KIB;
export const PIECES_MAX = 64;
/** The largest K and M of the layouts rs:K+M. */
export const DATA_PIECES_MAX = 16;
export const PARITY_PIECES_MAX = 8;
/** How many servers hold each piece in the layout "pairs". */
export const COPIES = 2;
export const SERVERS_MAX = 30;
/** How many servers a cluster can ever have had. */
export const SLOTS_MAX = 120;
export const HOST_BYTES = 64;
/** The weight of the server with the largest disk. The weights of the others are parts of it. */
export const WEIGHT_MAX = 65_535;
/** How much a server reads back for one VERIFY. */
export const VERIFY_BYTES = 4 * MIB;
export const FILE_BYTES_MAX = 2 ** 46;
/** The size of the largest file when it is sealed: each segment of 64 KiB has a tag of 16 bytes. */
export const STORED_BYTES_MAX = FILE_BYTES_MAX + 2 ** 35;

// Frames
export const FRAME_BYTES = CHUNK_BYTES + 64 * KIB;
export const HELLO_FRAME_BYTES = 4 * KIB;
export const ERROR_TEXT_BYTES = 1024;
export const MANIFEST_BYTES = 16 * KIB;
// rule: long-history
export const HISTORY_LENGTH = 16;
/** How many versions a name may have in its chain. Nobody gets there but by making them up. */
export const SEQ_MAX = 2 ** 48;
export const LIST_PAGE = 1000;
export const LIST_LOT = 250;
export const LIST_PAGE_BYTES = 192 * KIB;
/** The fewest names that a client asks for in a page, where it wants fewer. */
export const SMALL_PAGE = 64;
/**
 * How many sealed folders a list reads ahead, and about how many names of a page it asks at once.
 */
export const FOLDERS_AHEAD = 4;
export const ASKED_AT_ONCE = 16;
/**
 * How many names, and users, one server may report alone, beyond as many as other servers know too,
 * until it is not believed. The larger numbers are for a server that the quorum cannot do without.
 * SHORT_PAGES is how many pages it may end too early.
 */
export const LONE_NAMES = 10_000;
export const LONE_NAMES_MAX = 1_000_000;
export const LONE_USERS = 1000;
export const LONE_USERS_MAX = 10_000;
export const SHORT_PAGES = 100;
/** How many contents, and how many pending versions, a server tells of one name. */
export const VIDS_PER_NAME_MAX = 128;

// Time
export const FIRST_REPLY_MS = 1000;
/** The range that dfc.conf may set it to. */
export const PATIENCE_MS_MIN = 1000;
export const PATIENCE_MS_MAX = 60_000;
/** The rest of the greeting after the first answer is due. A login after a failed one waits 5 s. */
export const GREETING_MS = 11_000;
/** How long silent servers are tried again at first, where nothing can be done without them. */
export const REACH_MS = 3000;
/** After how long a server that is down is tried again, where it is used: at first, and at most. */
export const RETRY_FIRST_MS = 1000;
export const RETRY_MAX_MS = 5000;
/** For how long all servers are asked after few were asked in vain. */
export const ASK_ALL_MS = 60_000;
/** When a client says the same warning again, and believes or follows again whom it did not. */
export const AGAIN_MS = 10 * 60_000;
export const WARNINGS_REMEMBERED = 4096;
/** A server that was asked must answer, or move PROGRESS_BYTES, within each PROGRESS_MS. */
export const PROGRESS_MS = 10_000;
export const PROGRESS_BYTES = 16 * KIB;
/** An answer must be complete within this time. */
export const ANSWER_MS = 10 * 60_000;
/**
 * How many configurations one client follows in AGAIN_MS. Servers that lie may name ever newer
 * ones.
 */
export const EPOCHS_FOLLOWED = 1000;
export const STRAGGLER_MS = 1000;
/** How long status waits for a server, since status must not take longer than a second. */
export const STATUS_REPLY_MS = 600;
export const STATUS_WATCH_MS = 2000;
export const READ_PATIENCE_MS = 100;
/** How long the few servers of a fast path may take: more than a round trip around the world. */
export const FEW_PATIENCE_MS = 300;
export const HEDGE_MS = 1000;
export const DOUBT_PAUSE_MS = 20;
export const DOUBT_TRIES = 2;
export const BACKOFF_FIRST_MS = 10;
export const BACKOFF_MAX_MS = 1000;
export const WATCH_MS = 50;
export const PROPOSE_MS = 60_000;
export const STOP_GRACE_MS = 800;
export const REPAIR_INTERVAL_SECONDS = 3600;
export const REPAIR_JITTER = 0.3;
/** How long pending versions are left alone after their sender was last connected. */
export const ORPHAN_AGE_SECONDS = 3600;
/** How many versions count as under way on one connection. A client has far fewer at once. */
export const SENT_PER_CONNECTION = 1024;
/** How long content that no name holds any more stays, after somebody read it last. */
export const TRASH_GRACE_MS = 600_000;
/** The same where the disk is full: only for readers that are reading now. */
export const READERS_GRACE_MS = 60_000;
export const RENEWALS_KEPT = 4096;
/** How often a server looks for idle content within its grace. */
export const SWEEPS_PER_GRACE = 10;
/** Bounds for the time from one look for idle content to the next. */
export const TRASH_SWEEP_MIN_MS = 1000;
export const TRASH_SWEEP_MS = 60_000;

// One server
export const CONNECTIONS_MAX = 4096;
export const UPLOADS_MAX = 4096;
export const PLACES_MIN = 16;
/** How many files and connections a process may have open, where the system does not say. */
export const DESCRIPTORS_DEFAULT = 4096;
/**
 * How many of them are kept for things other than connections and pieces under way: the catalog,
 * standard streams, files that are open for a moment.
 */
export const DESCRIPTORS_KEPT = 128;
/** How long a connection has until its user is known, with TLS included. */
export const HELLO_MS = 10_000;
/** Until its user is known, a connection must take each reply within this time. */
export const HELLO_REPLY_MS = 1000;
/** How much of HELLO_MS the handshake of TLS may take. */
export const HANDSHAKE_MS = 5000;
/** A frame under way, or a reply that waits, must move FRAME_PACE_BYTES in each FRAME_MS. */
export const FRAME_MS = 30_000;
export const FRAME_PACE_BYTES = 32 * KIB;
export const IDLE_MS = 10 * 60_000;
/** How often a server checks the pace of a connection. */
export const LOOK_MS = 5000;
export const REQUESTS_PER_CONNECTION = 256;
/** How much is held for one connection: its requests, and its replies until they are taken. */
export const INFLIGHT_BYTES_PER_CONNECTION = 4 * MIB;
/** How much is held for all connections. One connection may have a fourth of what is free of it. */
export const INFLIGHT_BYTES = 12 * MIB;
export const INFLIGHT_SHARE = 4;
/** Up to this limit, a connection with nothing under way may have one request. */
export const INFLIGHT_BYTES_MAX = 32 * MIB;
/** Beyond that limit, connections that have stalled for this long are closed. */
export const STALLED_MS = 5000;
/** How often a connection that waits for room checks again. */
export const ROOM_POLL_MS = 50;
/** After so many requests of one connection it is the turn of the others. */
export const REQUESTS_PER_TURN = 32;
export const UPLOADS_PER_CONNECTION = 256;
/** An upload of which nothing came for so long makes room for others. */
export const UPLOAD_STALE_MS = 30_000;
/** How often a server checks whether its users have changed. */
export const USERS_LOOK_MS = 2000;
/** How many files of pieces are open at the same time, each for a moment. */
export const FILES_AT_ONCE = 32;
/** How many tables of sums are in memory at the same time, apart from small ones. */
export const TABLES_AT_ONCE = 2;
export const TABLE_BYTES_SMALL = 256 * KIB;
const RESERVE_FRACTION = 0.02;
const RESERVE_BYTES_MIN = 8 * MIB;
export const RESERVE_BYTES_MAX = 256 * MIB;
/** How many bytes pieces leave free on a disk of `total` bytes. */
export const reserveBytes = (total: number): number =>
  Math.max(RESERVE_BYTES_MIN, Math.min(RESERVE_BYTES_MAX, total * RESERVE_FRACTION));
/** How much of a disk a catalog and its log take at least. */
export const CATALOG_BYTES = 8 * MIB;
/** A disk with less than this for pieces is reported as full. */
export const SCARCE_BYTES = 1024 * KIB;
/** How many inodes stay free. */
export const RESERVE_FILES = 16;
/** With so much to spare, small pieces rely on one look at the free space for SPARE_MS. */
export const SPARE_BYTES = 256 * MIB;
export const SPARE_MS = 100;
export const BALLAST_BYTES = 256 * KIB;
/** How many rows of the catalog are checked in one turn. */
export const CHECK_ROWS = 500;
/** How long the check of the catalog may take at the start of a server. */
export const START_CHECK_MS = 1000;
/** How often a check of the catalog begins anew. */
export const CHECK_INTERVAL_MS = 24 * 3600 * 1000;
export const SYNC_EVERY_BYTES = 32 * MIB;

/** Pieces that are new, or were not read back for this long, are read back. */
export const SCRUB_INTERVAL_MS = 14 * 24 * 3600 * 1000;
/** A piece that was not read back for so long after it arrived is no longer just new. */
export const UNREAD_SECONDS_MAX = 24 * 3600;
/** How much is read back at a time. */
export const SCRUB_LOT_BYTES = 8 * MIB;
export const SCRUB_PAUSE_MS = 250;
export const SCRUB_IDLE_MS = 5000;
/** If clients move so many bytes between two lots, a server puts off the second lot. */
export const SCRUB_BUSY_BYTES = 256 * KIB;
/** How many times in a row a lot is put off. */
export const SCRUB_PUT_OFF_MAX = 20;
export const SCRUB_DUE_MAX = 256;

// Users
export const USER_BYTES = 64;
export const PASSWORD_BYTES = 1024;
export const USERS_FILE_BYTES = 1024 * KIB;
/**
 * The cost of argon2id, and so of one guess at a password. It is what OWASP asks for at least. A
 * change of any of these changes the verifiers of all passwords, and the keys of old records.
 */
export const STRETCH_KIB = 19 * KIB;
export const STRETCH_PASSES = 2;
export const STRETCH_LANES = 1;
export const STRETCH_SALT_BYTES = 16;
/** One half is for the login, the other half for the wraps of old key records. */
export const STRETCH_BYTES = 64;
/** Few iterations are enough, since the password was stretched before. The number never changes. */
export const SCRAM_ITERATIONS = 4096;
export const SCRAM_SALT_BYTES = 16;
export const LOGIN_NONCE_BYTES = 32;
/** How long a change of a users file waits for another change to finish. */
export const USERS_LOCK_MS = 2000;
export const USERS_LOCK_POLL_MS = 50;

// The log of a server: so many lines of one kind as they come, then one line after each pause. The
// pause doubles for as long as such lines come.
export const LOG_LINES_AT_ONCE = 10;
export const LOG_PAUSE_MS = 60_000;
export const LOG_PAUSE_MAX_MS = 60 * 60_000;
export const LOG_LOOK_MS = 5000;
/** A disk operation that takes longer is logged. */
export const SLOW_DISK_MS = 3000;
export const SLOW_DISK_LOOK_MS = 1000;

// One connection
/** Smaller writes of one turn go to the kernel together. */
export const BATCH_BYTES = 32 * KIB;

// One client
export const INBOX_BYTES = 256 * KIB;
export const FILES_IN_FLIGHT = 64;
export const CHUNKS_IN_FLIGHT = 12;
export const NAMES_IN_REPAIR = 16;
/**
 * A server that comes late joins when a client opens the cluster, if there are no more names than
 * this to agree on anew.
 */
export const JOIN_NAMES_MAX = 1000;
/** How long the client waits for the join. */
export const JOIN_MS = 2000;
export const CHUNKS_PER_PIECE = 4;
/** How many chunks of a stripe count as one chunk in flight. */
export const CHUNKS_PER_PLACE = 4;
/**
 * How many fetches are remembered of a stored version with parity that is read chunk by chunk. Each
 * is a chunk at most.
 */
export const FETCHES_REMEMBERED = 64;
