/** The methods in the order in which their examples tell a story: each finds what those before it have left. */
export const STORY = [
  'task.create',
  'task.create_attachment',
  'task.get_attachment',
  'task.list_attachments',
  'task.get_attachments_batch',
  'task.get',
  'task.list',
  'task.usage',
  'task.delete_attachment',
  'task.update',
  'task.complete',
  'task.cancel',
  'task.delete',
];
