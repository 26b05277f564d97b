/** What manifests/monitoring asks of Prometheus. */
import { parse } from "yaml";

const FOLDER = new URL("../../manifests/monitoring/", import.meta.url);
/** Path of the rules. */
export const ALERTS_PATH = new URL("alerts.yaml", FOLDER).pathname;

/** A question to Prometheus, and who asks it. */
export interface Query {
  readonly of: string;
  readonly text: string;
}

/** A rule that calls somebody. */
export interface Alert {
  readonly alert: string;
  readonly expr: string;
}

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly definition?: string }[];
  };
}

/** Every query of the dashboard, over everything that its variables can choose. */
export async function dashboardQueries(): Promise<readonly Query[]> {
  const text = await Deno.readTextFile(new URL("dashboard.json", FOLDER));
  const { panels, templating }: Dashboard = JSON.parse(text);
  const variables = templating.list.flatMap(({ name, definition = "" }): readonly Query[] => {
    const [, metric, label] = /^label_values\((\w+), (\w+)\)$/.exec(definition) ?? [];
    if (metric === undefined) return [];
    return [{ of: `variable ${name}`, text: `count by (${label}) (${metric})` }];
  });
  const shown = panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({ of: `panel ${title}`, text: expr.replaceAll("$instance", ".*") }))
  );
  return [...variables, ...shown];
}

/** The alerts. */
export async function alerts(): Promise<readonly Alert[]> {
  const { groups }: { readonly groups: readonly { readonly rules: readonly Alert[] }[] } = parse(
    await Deno.readTextFile(ALERTS_PATH),
  );
  return groups.flatMap(({ rules }) => rules);
}

/** What an alert looks at, without the bounds beyond which it calls. */
export function unbounded({ alert, expr }: Alert): Query {
  return { of: `alert ${alert}`, text: expr.replaceAll(/ (?:[<>]=?|[!=]=) [\d.]+/g, "") };
}

/** How pods are found, as the text of the file. */
export function scrapeText(): Promise<string> {
  return Deno.readTextFile(new URL("scrape.yaml", FOLDER));
}

/** Names of the metrics that a query reads. */
export function metricsOf({ text }: Query): readonly string[] {
  return [...text.matchAll(/\b(?:spiderpool|process)_\w+/g)].map(([name]) => name);
}
