/** Whether a key can stand in a header: letters, digits and signs of plain ASCII. */
export const isSendable = (key: string): boolean => /^[!-~]+$/.test(key)
