/** Whether a node still holds anything of a pod, by the folders of its kubelet. */

/**
 * Looks for the folder that a kubelet has for a pod from before its sandbox is made until after it
 * is gone.
 *
 * @param podUid From an object: what could not be a folder's name is not looked for.
 * @param options.root The kubelet's own folder, such as `/var/lib/kubelet`.
 * @param options.isFolder Throws where it cannot tell.
 * @returns `unknown` as well if the kubelet's folders cannot be seen at all.
 */
export async function podFolderOf(
  podUid: string,
  { root, isFolder }: {
    readonly root: string;
    readonly isFolder: (path: string) => Promise<boolean>;
  },
): Promise<"present" | "absent" | "unknown"> {
  if (!/^[\w-]+$/.test(podUid)) return "unknown";
  try {
    if (await isFolder(`${root}/pods/${podUid}`)) return "present";
    return await isFolder(`${root}/pods`) ? "absent" : "unknown";
  } catch {
    return "unknown";
  }
}
