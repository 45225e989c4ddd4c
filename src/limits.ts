/** Every limit and default, with its unit in its name. Nothing else in the tree is a bare number with a meaning. */

export const KIB = 1024;
export const MIB = 1024 * KIB;

// Ballots
/** How far above what a server has promised in a name, or knows to be forgotten in its space, a ballot may be. */
export const BALLOT_STEP = 2 ** 24;
/** Steps that a client goes in one try above the number that two servers vouch for. */
export const CLIMB_STEPS = 16;

// Names
export const NAME_BYTES = 1024;
export const COMPONENT_BYTES = 255;
/** A sealed component: its tag and itself in base64; and the longest name as it comes out sealed, of 512 components of a byte. */
export const SEALED_COMPONENT_BYTES = Math.ceil((4 * (COMPONENT_BYTES + 16)) / 3);
export const SEALED_NAME_BYTES = 12 * KIB;
export const FOLDERS_REMEMBERED = 4096;
export const USERS_PAGE = 1000;
/** Floors in one message. */
export const FLOORS_PAGE = 1000;
/** What is sealed of a manifest. */
export const SEALED_FACTS_BYTES = 256;
/** Passwords that open one master key. */
export const WRAPS_MAX = 4;
/** The most that a key record may ask a client to stretch a password by, and how often one command does so. */
export const WRAP_KIB_MAX = 64 * KIB;
export const WRAP_PASSES_MAX = 4;
export const WRAP_LANES_MAX = 4;
export const STRETCHES_MAX = 16;

// Pieces
export const BLOCK_BYTES = 64 * KIB;
export const CHUNK_BYTES = 256 * KIB;
export const INLINE_BYTES = 16 * KIB;
export const PIECES_MAX = 64;
/** K and M of the layouts rs:K+M. */
export const DATA_PIECES_MAX = 16;
export const PARITY_PIECES_MAX = 8;
/** Servers that hold each piece of the layout "pairs". */
export const COPIES = 2;
export const SERVERS_MAX = 30;
/** Servers that a cluster has ever had. */
export const SLOTS_MAX = 120;
export const HOST_BYTES = 64;
/** The weight of the server with the largest disk, in whose parts others weigh. */
export const WEIGHT_MAX = 65_535;
/** What a server reads back for one VERIFY. */
export const VERIFY_BYTES = 4 * MIB;
export const FILE_BYTES_MAX = 2 ** 46;
/** The last moment that a date can tell, in milliseconds since 1970. */
export const TIME_MS_MAX = 8_640_000_000_000_000;
/** The same as it lies on servers, sealed: 16 bytes more for each 64 KiB, and the last segment. */
export const STORED_BYTES_MAX = FILE_BYTES_MAX + 2 ** 35;

// Frames
export const FRAME_BYTES = CHUNK_BYTES + 64 * KIB;
export const HELLO_FRAME_BYTES = 4 * KIB;
export const ERROR_TEXT_BYTES = 1024;
export const MANIFEST_BYTES = 16 * KIB;
// rule: long-history
export const HISTORY_LENGTH = 16;
/** Versions of a name, one after the other; nobody comes there but by making it up. */
export const SEQ_MAX = 2 ** 48;
export const LIST_PAGE = 1000;
export const LIST_LOT = 250;
export const LIST_PAGE_BYTES = 192 * KIB;
/**
 * Names, and users, that one server alone tells of, beyond as many as others know too, until it is not believed; more where one cannot do
 * without it; and pages that it ends too early.
 */
export const LONE_NAMES = 10_000;
export const LONE_NAMES_MAX = 1_000_000;
export const LONE_USERS = 1000;
export const LONE_USERS_MAX = 10_000;
export const SHORT_PAGES = 100;
export const VIDS_PER_NAME_MAX = 256;

// Time
export const FIRST_REPLY_MS = 1000;
/** What dfc.conf may say instead. */
export const PATIENCE_MS_MIN = 1000;
export const PATIENCE_MS_MAX = 60_000;
/** From when the first answer is due to the end of the greeting: a login after one that failed waits 5 s of it. */
export const GREETING_MS = 11_000;
/** Servers that were silent at first are asked again for so long, where nothing can be done without them. */
export const REACH_MS = 3000;
/** A server that is asked must answer, or move so many bytes, in so long; and an answer comes at last. */
export const PROGRESS_MS = 10_000;
export const PROGRESS_BYTES = 16 * KIB;
export const ANSWER_MS = 10 * 60_000;
/** Configurations that one client goes by in its life: servers that lie may name ever newer ones. */
export const EPOCHS_FOLLOWED = 1000;
export const STRAGGLER_MS = 1000;
/** How long status waits for a server; it must not take longer than a second. */
export const STATUS_REPLY_MS = 600;
export const STATUS_WATCH_MS = 2000;
export const READ_PATIENCE_MS = 100;
/** How long few servers have to tell all; longer than the way round the world and back. */
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
/** Pieces of no version are left alone for so long after their sender was last connected. */
export const ORPHAN_AGE_SECONDS = 3600;
/** Versions that count as under way on one connection; a client sends the pieces of far fewer at once. */
export const SENT_PER_CONNECTION = 1024;
export const TRASH_GRACE_MS = 60_000;
/** The trash is looked through so often in its grace, but not more often nor less often than these. */
export const SWEEPS_PER_GRACE = 10;
export const TRASH_SWEEP_MIN_MS = 1000;
export const TRASH_SWEEP_MS = 60_000;

// One server
export const CONNECTIONS_MAX = 4096;
export const UPLOADS_MAX = 4096;
export const PLACES_MIN = 16;
/** Files and connections that a process may have open where the system does not say. */
export const DESCRIPTORS_DEFAULT = 4096;
/** Of them, those for all that is neither a connection nor a piece under way: the catalog, files that are open for a moment, standard streams. */
export const DESCRIPTORS_KEPT = 128;
/** From the connection on until it is known who asks, TLS and all. Replies before that go within the second of the two. */
export const HELLO_MS = 10_000;
export const HELLO_REPLY_MS = 1000;
/** For the handshake of TLS, of them. */
export const HANDSHAKE_MS = 5000;
/** While a frame is on its way, or a reply waits to be taken, so many bytes must go in each such time. */
export const FRAME_MS = 30_000;
export const FRAME_PACE_BYTES = 32 * KIB;
export const IDLE_MS = 10 * 60_000;
/** How often a connection is looked at. */
export const LOOK_MS = 5000;
export const REQUESTS_PER_CONNECTION = 256;
/** What is held for one connection: its requests, and its replies until they are taken. */
export const INFLIGHT_BYTES_PER_CONNECTION = 4 * MIB;
/** What is held for all, of which each connection may have a fourth of what is free. */
export const INFLIGHT_BYTES = 12 * MIB;
export const INFLIGHT_SHARE = 4;
/** And up to here whoever has nothing under way may have one request; beyond it who has stalled for so long goes. */
export const INFLIGHT_BYTES_MAX = 32 * MIB;
export const STALLED_MS = 5000;
/** How often who waits for others looks again. */
export const ROOM_POLL_MS = 50;
/** After so many requests of one connection the others have their turn. */
export const REQUESTS_PER_TURN = 32;
export const UPLOADS_PER_CONNECTION = 256;
/** A piece of which nothing came for so long makes room for others. */
export const UPLOAD_STALE_MS = 30_000;
/** How often a server looks whether its users are still who they were. */
export const USERS_LOOK_MS = 2000;
/** Files of pieces that are open for a moment, at the same time; tables of sums that are not small in memory. */
export const FILES_AT_ONCE = 32;
export const TABLES_AT_ONCE = 2;
export const TABLE_BYTES_SMALL = 256 * KIB;
const RESERVE_FRACTION = 0.02;
const RESERVE_BYTES_MIN = 8 * MIB;
export const RESERVE_BYTES_MAX = 256 * MIB;
/** What pieces leave free of a disk of so many bytes. */
export const reserveBytes = (total: number): number =>
  Math.max(RESERVE_BYTES_MIN, Math.min(RESERVE_BYTES_MAX, total * RESERVE_FRACTION));
/** What a catalog and its log take of a disk, at least. */
export const CATALOG_BYTES = 8 * MIB;
/** With less than that for pieces a disk is told to be full. */
export const SCARCE_BYTES = 1024 * KIB;
/** Inodes that stay free. */
export const RESERVE_FILES = 16;
/** With so much to spare a look at the free space is good for so long, for small pieces. */
export const SPARE_BYTES = 256 * MIB;
export const SPARE_MS = 100;
export const BALLAST_BYTES = 256 * KIB;
/** Rows of the catalog that are looked at in one turn; how long that may take at the start; and how often it begins anew. */
export const CHECK_ROWS = 500;
export const START_CHECK_MS = 1000;
export const CHECK_INTERVAL_MS = 24 * 3600 * 1000;
export const SYNC_EVERY_BYTES = 32 * MIB;

/** What is written, or was not read back for so long, is read back, so many bytes at a time. */
export const SCRUB_INTERVAL_MS = 14 * 24 * 3600 * 1000;
/** What was not read back for so long after it came is not just new. */
export const UNREAD_SECONDS_MAX = 24 * 3600;
export const SCRUB_LOT_BYTES = 8 * MIB;
export const SCRUB_PAUSE_MS = 250;
export const SCRUB_IDLE_MS = 5000;
/** What clients ask of a server between two lots that makes it put off the second, so many times in a row. */
export const SCRUB_BUSY_BYTES = 256 * KIB;
export const SCRUB_PUT_OFF_MAX = 20;
export const SCRUB_DUE_MAX = 256;

// Users
export const USER_BYTES = 64;
export const PASSWORD_BYTES = 1024;
export const USERS_FILE_BYTES = 1024 * KIB;
/** argon2id: what a guess at a password costs, as OWASP asks for at least. A change of any of these changes all passwords' verifiers, and the keys of old records. */
export const STRETCH_KIB = 19 * KIB;
export const STRETCH_PASSES = 2;
export const STRETCH_LANES = 1;
export const STRETCH_SALT_BYTES = 16;
/** Half of it is for the login, half for the wraps of old key records. */
export const STRETCH_BYTES = 64;
/** Few, and always so many: the password was stretched before. */
export const SCRAM_ITERATIONS = 4096;
export const SCRAM_SALT_BYTES = 16;
export const LOGIN_NONCE_BYTES = 32;
/** How long a change of a file of users waits for another one. */
export const USERS_LOCK_MS = 2000;
export const USERS_LOCK_POLL_MS = 50;

// What a server says: so many lines of one kind as they are, then one after a pause, which doubles as long as they come
export const LOG_LINES_AT_ONCE = 10;
export const LOG_PAUSE_MS = 60_000;
export const LOG_PAUSE_MAX_MS = 60 * 60_000;
export const LOG_LOOK_MS = 5000;
/** What the disk takes longer for is told. */
export const SLOW_DISK_MS = 3000;
export const SLOW_DISK_LOOK_MS = 1000;

// Failed logins, of a user from a host
export const LOGIN_ATTEMPTS_PER_CONNECTION = 3;
export const LOGIN_FAILURES_FREE = 2;
export const LOGIN_DELAY_FIRST_MS = 100;
export const LOGIN_DELAY_MAX_MS = 5000;
export const LOGIN_FORGET_MS = 10 * 60_000;
export const LOGIN_FAILURES_KEPT = 4096;
/** Of a user from all hosts together: so many more are free, and the delay is shorter. */
export const LOGIN_FAILURES_FREE_OF_USER = 20;
export const LOGIN_DELAY_MAX_OF_USER_MS = 1000;
/** Failures that wait for their reply at the same time: of a user from a host, and of a user. Beyond them one proof is looked at each so often, and so many wait for that. */
export const LOGIN_WAITING = 16;
export const LOGIN_WAITING_OF_USER = 64;
export const LOGIN_LOOK_MS = 100;
export const LOGIN_QUEUE = 100;
/** Between two changes of one user's password; and who would have to wait longer is refused. */
export const PASSWD_MS = 1000;
export const PASSWD_WAIT_MS = 3000;

// One connection
/** What is smaller, and written in one turn, goes to the kernel together. */
export const BATCH_BYTES = 32 * KIB;

// One client
export const INBOX_BYTES = 256 * KIB;
export const FILES_IN_FLIGHT = 64;
export const CHUNKS_IN_FLIGHT = 12;
export const NAMES_IN_REPAIR = 16;
/** A server that comes late joins when a client opens the cluster, if there are no more names to agree on anew; it waits no longer for that. */
export const JOIN_NAMES_MAX = 1000;
export const JOIN_MS = 2000;
export const CHUNKS_PER_PIECE = 4;
/** Chunks of a stripe that count as one in flight. */
export const CHUNKS_PER_PLACE = 4;
/** Of a stored version with parity that is read chunk by chunk; each is a chunk at most. */
export const FETCHES_REMEMBERED = 64;
