/** English is built in; this file is what a translator starts from. */
const strings = {
  question: "Is this right?",
  right: "Looks right",
  wrong: "Looks wrong",
  undo: "Undo",
  saved: "Saved",
  later: "Saved, not sent yet",
  sent: "Sent, thank you",
  failed: "That did not work",
  user_right: "Checked: you were right",
  user_wrong: "Checked: it was right",
  count: "How many?",
  label: "What is it?",
  mark: "Mark on the image",
  hint: "Tap or drag on the image. Arrows move, Shift resizes.",
  add: "Add a mark",
  remove: "Remove",
  marked: "Marked",
  comment: "Comment",
  send: "Send",
  close: "Close",
};

(globalThis.looksWrongLocales ??= {}).en = strings;
export default strings;
