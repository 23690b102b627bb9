/** العربية */
const strings = {
  question: "هل هذا صحيح؟",
  right: "تبدو صحيحة",
  wrong: "تبدو خاطئة",
  undo: "تراجع",
  saved: "تم الحفظ",
  later: "تم الحفظ، ولم يُرسل بعد",
  sent: "تم الإرسال، شكرًا لك",
  failed: "تعذّر ذلك",
  user_right: "تم التحقق: كنت على حق",
  user_wrong: "تم التحقق: النتيجة كانت صحيحة",
  count: "كم العدد؟",
  label: "ما هذا؟",
  mark: "حدّد على الصورة",
  hint: "انقر أو اسحب على الصورة. مفاتيح الأسهم تحرّك العلامة، ومع Shift تغيّر حجمها.",
  add: "أضف علامة",
  remove: "إزالة",
  marked: "علامة",
  comment: "تعليق",
  send: "إرسال",
  close: "إغلاق",
};

(globalThis.looksWrongLocales ??= {}).ar = strings;
export default strings;
