/** Names of tests, which are good ones. */
import { checkNewName, checkStored, type NewName, type StoredName } from "../../src/file/names.ts";

/** A name as a user gives it. */
export const named = (name: string): NewName => checkNewName(name);

/** A name as servers know it. */
export const inStore = (name: string): StoredName => checkStored(name);
