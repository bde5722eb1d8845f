/** What `dossier purge` can be told to delete, in its order. */
export const PURGEABLE = ['attachments', 'tasks', 'history'] as const;
export type Purgeable = (typeof PURGEABLE)[number];
