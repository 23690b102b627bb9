/** The types of <looks-wrong> in JSX, for React 18 and 19. */

import type { DetailedHTMLProps, HTMLAttributes } from "react";
import type { FeedbackDetail, Label, LooksWrong, Strings } from "./looks-wrong.js";

type Listener = (event: CustomEvent<FeedbackDetail>) => void;

export interface LooksWrongAttributes {
  sample: string;
  token: string;
  /** The server's address; "" is the page's own. */
  endpoint?: string;
  mode?: "buttons" | "flag";
  /** "count", "labels", "image", or several of them with spaces between. */
  correct?: string;
  layout?: "inline" | "popover";
  count?: number | string;
  /** In React 18 as JSON. */
  labels?: readonly Label[] | string;
  /** A selector; from React 19 on an element, too. */
  image?: string | Element | null;
  status?: "user_right" | "user_wrong";
  /** In React 18 as JSON. */
  strings?: Strings | string;
  /** Events from React 19 on. */
  "onfeedback-saved"?: Listener;
  "onfeedback-sent"?: Listener;
  "onfeedback-failed"?: Listener;
}

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "looks-wrong": DetailedHTMLProps<HTMLAttributes<LooksWrong>, LooksWrong> & LooksWrongAttributes;
    }
  }
}
