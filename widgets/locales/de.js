/** Deutsch. */
const strings = {
  question: "Stimmt das?",
  right: "Sieht richtig aus",
  wrong: "Sieht falsch aus",
  undo: "Rückgängig",
  saved: "Gespeichert",
  later: "Gespeichert, noch nicht gesendet",
  sent: "Gesendet, danke",
  failed: "Das hat nicht geklappt",
  user_right: "Geprüft: Sie hatten recht",
  user_wrong: "Geprüft: das Ergebnis war richtig",
  count: "Wie viele?",
  label: "Was ist es?",
  mark: "Im Bild markieren",
  hint: "Tippen oder ziehen Sie im Bild. Pfeiltasten verschieben eine Marke, mit Umschalt ändern sie die Größe.",
  add: "Marke setzen",
  remove: "Entfernen",
  marked: "Marke",
  comment: "Kommentar",
  send: "Senden",
  close: "Schließen",
};

(globalThis.looksWrongLocales ??= {}).de = strings;
export default strings;
