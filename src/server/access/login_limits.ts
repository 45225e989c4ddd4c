/**
 * Limits on logins that fail, and on changes of passwords. Used by the server's access.
 */

// Failed logins, of a user from a host
export const LOGIN_ATTEMPTS_PER_CONNECTION = 3;
export const LOGIN_FAILURES_FREE = 2;
export const LOGIN_DELAY_FIRST_MS = 100;
export const LOGIN_DELAY_MAX_MS = 5000;
export const LOGIN_FORGET_MS = 10 * 60_000;
export const LOGIN_FAILURES_KEPT = 4096;
/** For one user from all hosts: more failures are free, and the longest delay is shorter. */
export const LOGIN_FAILURES_FREE_OF_USER = 20;
export const LOGIN_DELAY_MAX_OF_USER_MS = 1000;
/** How many failed logins of one user from one host wait for their reply at the same time. */
export const LOGIN_WAITING = 16;
/** The same for one user from all hosts. */
export const LOGIN_WAITING_OF_USER = 64;
/** Beyond these numbers one proof is checked in each such time. */
export const LOGIN_LOOK_MS = 100;
/** How many logins may wait for that check. */
export const LOGIN_QUEUE = 100;
/** The time between two changes of one user's password. */
export const PASSWD_MS = 1000;
/** A change of a password that would have to wait longer is refused. */
export const PASSWD_WAIT_MS = 3000;
