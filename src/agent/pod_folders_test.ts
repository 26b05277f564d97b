import assert from "node:assert/strict";
import { podFolderOf } from "./pod_folders.ts";

function look(podUid: string, folders: readonly string[]): Promise<string> {
  const isFolder = (path: string): Promise<boolean> => Promise.resolve(folders.includes(path));
  return podFolderOf(podUid, { root: "/srv/kubelet", isFolder });
}

Deno.test("podFolderOf() tells a pod's folder, its absence and no folders apart", async () => {
  const folders = ["/srv/kubelet/pods", "/srv/kubelet/pods/6d0c-1"];
  assert.equal(await look("6d0c-1", folders), "present");
  assert.equal(await look("6d0c-2", folders), "absent");
  assert.equal(await look("6d0c-2", []), "unknown");
});

Deno.test("podFolderOf() looks for nothing that is no name", async () => {
  const folders = ["/srv/kubelet/pods", "/srv/kubelet/pods/", "/srv/kubelet/pods/.."];
  for (const uid of ["", "..", ".", "a/b", "a b"]) {
    assert.equal(await look(uid, folders), "unknown");
  }
});

Deno.test("podFolderOf() does not take an error for absence", async () => {
  const isFolder = (): Promise<boolean> => Promise.reject(new Error("Permission denied"));
  assert.equal(await podFolderOf("a", { root: "/x", isFolder }), "unknown");
});
