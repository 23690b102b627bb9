/** The types of <looks-wrong>. */

export type Verdict = "confirmed" | "rejected" | "corrected";

/** `later`: saved, and a try to send it failed. */
export type FeedbackState = "idle" | "open" | "saved" | "later" | "sent" | "failed";

/** What was right, as on the wire; coordinates are pixels of the upright image. */
export interface Correction {
  image_size?: [width: number, height: number];
  count?: number;
  label?: string;
  points?: { x: number; y: number }[];
  boxes?: {
    action: "add" | "move" | "remove";
    target?: number;
    label?: string;
    x_min?: number;
    y_min?: number;
    x_max?: number;
    y_max?: number;
  }[];
}

export interface FeedbackDetail {
  id: string;
  sample_id: string;
  verdict: Verdict;
  correction?: Correction;
  comment?: string;
  /** It takes an earlier answer back. */
  undo?: boolean;
  /** The server's, once it answered; 410 if nobody took it for a week. */
  status?: number;
}

export interface Label {
  value: string;
  label: string;
}

/** Own texts; those that are left out come from the page's language. */
export type Strings = Partial<Record<StringName, string>>;

export type StringName =
  | "question" | "right" | "wrong" | "undo" | "saved" | "later" | "sent" | "failed" | "user_right" | "user_wrong"
  | "count" | "label" | "mark" | "hint" | "add" | "remove" | "marked" | "comment" | "send" | "close"; // prettier-ignore

export declare class LooksWrong extends HTMLElement {
  sample: string | null;
  token: string | null;
  endpoint: string | null;
  mode: "buttons" | "flag" | null;
  correct: string | null;
  layout: "inline" | "popover" | null;
  status: "user_right" | "user_wrong" | null;
  count: number | string | null;
  labels: readonly Label[] | null;
  strings: Strings | null;
  image: string | Element | null;
  readonly verdict: Verdict | null;
  readonly state: FeedbackState;
  open(): void;
  submit(verdict: Verdict, details?: { correction?: Correction; comment?: string }): string;
  undo(): void;
  reset(): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "looks-wrong": LooksWrong;
  }
  interface HTMLElementEventMap {
    "feedback-saved": CustomEvent<FeedbackDetail>;
    "feedback-sent": CustomEvent<FeedbackDetail>;
    "feedback-failed": CustomEvent<FeedbackDetail>;
  }
  /** Filled by the files in `locales/`, by language. */
  var looksWrongLocales: Record<string, Strings> | undefined;
}
