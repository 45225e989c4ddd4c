/**
 * Where a stored name goes on the local disk. Names hold what no path may: this file keeps each
 * file below its folder, whatever its name is. Used by get.
 */
import { join } from "node:path";
import { DfsError } from "../../errors.ts";

/** The longest component of a path, on all systems that this program runs on. */
const COMPONENT_BYTES = 255;

/**
 * On Windows these have a meaning in a path, or are not allowed; so are a dot or a space at its
 * end.
 */
// oxlint-disable-next-line no-control-regex
const NOT_ON_WINDOWS = /[\0-\u001f<>:"|?*\\]|[. ]$/;
/** Devices of Windows, whatever follows the dot. */
const DEVICE =
  /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])[ ]*(?:\.|$)/i;

/**
 * The path of a file in a folder, or in a folder below it. "" is the current folder. `name` is its
 * name in the folder, with "/" between components. Throws DfsError("usage") where that would be no
 * path below the folder.
 */
export function pathBelow(folder: string, name: string, platform = process.platform): string {
  const components = name.split("/");
  for (const component of components) {
    const why = faultOf(component, platform);
    if (why === null) continue;
    const what = JSON.stringify(component.slice(0, 80).toWellFormed());
    throw new DfsError(
      "usage",
      `${what} cannot be a file name here: ${why}; say where it goes with -o FILE`,
    );
  }
  return join(folder, ...components);
}

/** What is wrong with a component of a path; null when nothing is. */
function faultOf(component: string, platform: string): string | null {
  if (component === "") return "it is empty";
  if (component === "." || component === "..") return "it stands for a folder";
  if (component.includes("\0")) return "it has a control character";
  if (Buffer.byteLength(component) > COMPONENT_BYTES)
    return `it is longer than ${COMPONENT_BYTES} bytes`;
  if (platform !== "win32") return null;
  if (NOT_ON_WINDOWS.test(component)) return "Windows does not allow it";
  return DEVICE.test(component) ? "it is a device of Windows" : null;
}
